"""The synthesis network of ProGAN prepared for inference."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.inference.growing import DenseInput, GrowingInferenceSynthesis, convolution
from stylegan.networks.generator import NoiseMode
from stylegan.networks.growing import GrowingSynthesis
from stylegan.networks.progan import SynthesisBlock, SynthesisLayer
from stylegan.ops import pixel_norm


class ProGANInferenceSynthesis(GrowingInferenceSynthesis):
    """ws -> image, with prepared blocks."""

    def __init__(self, synthesis: GrowingSynthesis, precision: str, compile: bool):
        super().__init__(synthesis, precision, compile)
        drawn = self.drawn(synthesis)
        self.input = DenseInput(drawn[0][0])
        self.blocks = cast("list[_Block]", nn.ModuleList(_Block(block, dtype, compile) for block, dtype in drawn))

    def prepare_inputs(self, ws: Tensor) -> tuple[Tensor]:
        return (self.input(ws[:, 0]),)

    def draw(self, x: Tensor, *, noise_mode: NoiseMode) -> Tensor:  # type: ignore[override]
        coarse = x
        for block in self.blocks:
            coarse, x = x, block(x)
        return self.image(x, coarse)


class _Block(nn.Module):
    """`SynthesisBlock`, prepared."""

    def __init__(self, block: SynthesisBlock, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.dtype = dtype
        self.layer0, self.layer1 = _Layer(block.layer0, dtype, compile), _Layer(block.layer1, dtype, compile)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer1(self.layer0(x.to(self.dtype)))


class _Layer(nn.Module):
    """`SynthesisLayer`, prepared."""

    def __init__(self, layer: SynthesisLayer, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.clamp = layer.conv_clamp
        self.convolve = convolution(layer, dtype, compile)
        self.bias = nn.Buffer(layer.bias.detach()[:, None, None].to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolve(x) if self.convolve is not None else x
        x = F.leaky_relu(x + self.bias, 0.2)
        return pixel_norm(x.clamp(-self.clamp, self.clamp) if self.clamp is not None else x)
