"""Base class and layers that ProGAN and StyleGAN1 share for inference, with a fixed level of detail.

Weights are scaled, cast and laid out once, and a compiler fuses everything that follows a convolution.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.inference.convolution import prepare
from stylegan.inference.synthesis import InferenceSynthesis
from stylegan.networks import progan, stylegan1
from stylegan.networks.growing import GrowingBlock, GrowingSynthesis, enlarge, level_and_fade
from stylegan.networks.layers import EqualizedConv2d
from stylegan.networks.precision import block_dtype
from stylegan.ops.number_formats import channels_last, wide, wide_dtype


class GrowingInferenceSynthesis(InferenceSynthesis):
    """Base class: ws -> image at the resolutions that `lod` selected when the form was made."""

    def __init__(self, synthesis: GrowingSynthesis, precision: str, compile: bool):
        super().__init__(synthesis, precision, compile)
        self.left_out, fade = level_and_fade(synthesis.lod, len(synthesis.block_resolutions))
        self.fade: Tensor | None
        self.register_buffer("fade", fade)
        self.torgbs = nn.ModuleList(ToRGB(block.torgb, dtype) for block, dtype in self.drawn(synthesis))

    def drawn(self, synthesis: GrowingSynthesis) -> list[tuple[Any, torch.dtype]]:
        """The blocks of the selected resolutions, each with the dtype of its activations."""
        resolutions = synthesis.block_resolutions
        blocks = []
        for r in resolutions[: len(resolutions) - self.left_out]:
            block: GrowingBlock = getattr(synthesis, f"b{r}")
            # bfloat16 has the range of float32, so the marks, which keep low resolutions from overflow, are not needed
            marked = block.low_precision or (self.precision == "bf16" and r >= 8)
            blocks.append(
                (block, block_dtype(marked, self.precision, synthesis.lod.device, wide_dtype(synthesis.lod.dtype)))
            )
        return blocks

    def image(self, x: Tensor, coarse: Tensor) -> Tensor:
        """The image of full size from the features of the highest resolution and of the one before."""
        img = self.torgbs[-1](x)
        if self.fade is not None:
            img = img.lerp(enlarge(self.torgbs[-2](coarse)), self.fade.to(img.dtype))
        return enlarge(img, self.left_out)


def convolution(
    layer: progan.SynthesisLayer | stylegan1.SynthesisLayer, dtype: torch.dtype, compile: bool
) -> nn.Module | None:
    """The prepared convolution of a layer; None for a layer without one."""
    if layer.weight is None:
        return None
    weight = wide(layer.weight.detach()) * layer.weight_gain
    if layer.up == 1:
        return prepare(weight, dtype, None, layer.resolution, compile)
    return prepare(
        weight.flip([2, 3]), dtype, layer.box, layer.resolution, compile
    )  # which takes enlarging kernels for convolution


class DenseInput(nn.Module):
    """The fully connected layer that makes the first features of w."""

    def __init__(self, block: progan.SynthesisBlock | stylegan1.SynthesisBlock):
        super().__init__()
        self.weight = nn.Buffer(wide(block.dense.detach()) * block.dense_gain)

    def forward(self, w: Tensor) -> Tensor:
        """w [N, D] -> [N, C, 4, 4]"""
        return channels_last(F.linear(w, self.weight).unflatten(1, [-1, 4, 4]))


class ToRGB(nn.Module):
    """The 1x1 convolution to an image, as a matrix."""

    def __init__(self, torgb: EqualizedConv2d, dtype: torch.dtype):
        super().__init__()
        assert torgb.bias is not None
        self.weight = nn.Buffer(
            (wide(torgb.weight.detach()) * torgb.weight_gain)[:, :, 0, 0].t().to(dtype).contiguous()
        )
        self.bias = nn.Buffer(wide(torgb.bias.detach())[:, None, None].clone())

    def forward(self, x: Tensor) -> Tensor:
        """x [N, C, H, W] -> [N, img_channels, H, W] float32"""
        return wide((x.permute(0, 2, 3, 1) @ self.weight).permute(0, 3, 1, 2)) + self.bias
