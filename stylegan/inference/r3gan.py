"""The synthesis network of R3GAN prepared for inference: weights cast and laid out once, biases in convolutions."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.inference.synthesis import InferenceSynthesis
from stylegan.networks.generator import NoiseMode
from stylegan.networks.precision import block_dtype
from stylegan.networks.r3gan import ResidualBlock, SynthesisNetwork, SynthesisStage, Transition
from stylegan.ops import upsample2d
from stylegan.ops.number_formats import channels_last, wide


class R3GANInferenceSynthesis(InferenceSynthesis):
    """ws -> image, with prepared stages."""

    def __init__(self, synthesis: SynthesisNetwork, precision: str, compile: bool):
        super().__init__(synthesis, precision, compile)
        self.basis = nn.Buffer(wide(synthesis.basis.detach()).clone())
        self.linear = nn.Buffer(wide(synthesis.linear.detach()).clone())
        self.stages = cast("list[_Stage]", nn.ModuleList())
        for r, stage in zip(synthesis.block_resolutions, synthesis.stages, strict=True):
            # bfloat16 has the range of float32, so the marks, which keep low resolutions from overflow, are not needed
            marked = stage.low_precision or (precision == "bf16" and r > 4)
            self.stages.append(_Stage(stage, block_dtype(marked, precision, self.basis.device, self.basis.dtype)))
        self.torgb = _kernel(synthesis.torgb, self.stages[-1].dtype)

    def prepare_inputs(self, ws: Tensor) -> tuple[Tensor]:
        x = self.basis * F.linear(ws[:, 0], self.linear)[:, :, None, None]
        return (channels_last(x),)

    def draw(self, x: Tensor, *, noise_mode: NoiseMode) -> Tensor:  # type: ignore[override]
        for stage in self.stages:
            x = stage(x)
        return wide(F.conv2d(x, self.torgb))


class _Stage(nn.Module):
    """`SynthesisStage`, prepared."""

    def __init__(self, stage: SynthesisStage, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        self.transition = _Transition(stage.transition, dtype) if stage.transition is not None else None
        self.blocks = nn.Sequential(*[_Block(cast("ResidualBlock", block), dtype) for block in stage.blocks])

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype)
        x = self.transition(x) if self.transition is not None else x
        return self.blocks(x)


class _Transition(nn.Module):
    """`Transition`, prepared. The 1x1 convolution commutes with the filter, so it has the fewer pixels."""

    def __init__(self, transition: Transition, dtype: torch.dtype):
        super().__init__()
        self.f = nn.Buffer(transition.resample_filter.clone())
        self.project = _kernel(transition.project, dtype) if transition.project is not None else None

    def forward(self, x: Tensor) -> Tensor:
        return upsample2d(F.conv2d(x, self.project) if self.project is not None else x, self.f)


class _Block(nn.Module):
    """`ResidualBlock`, prepared."""

    def __init__(self, block: ResidualBlock, dtype: torch.dtype):
        super().__init__()
        self.groups = block.groups
        self.expand, self.grouped, self.contract = (
            _kernel(weight, dtype) for weight in (block.expand, block.grouped, block.contract)
        )
        self.expand_bias = nn.Buffer(block.expand_bias.detach().clone().to(dtype))
        self.grouped_bias = nn.Buffer(block.grouped_bias.detach().clone().to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(F.conv2d(x, self.expand, self.expand_bias), 0.2)
        y = F.leaky_relu(F.conv2d(y, self.grouped, self.grouped_bias, padding=1, groups=self.groups), 0.2)
        return x + F.conv2d(y, self.contract)


def _kernel(weight: Tensor, dtype: torch.dtype) -> nn.Buffer:
    """Return a copy of a kernel [O, I, K, K] in the layout and dtype of the features."""
    return nn.Buffer(weight.detach().clone().to(dtype, memory_format=torch.channels_last))
