"""The synthesis network of ProGAN and StyleGAN1 made for drawing: the same images, sooner.

Weights are scaled, cast and laid out once, and a compiler makes few passes of all that follows a convolution. There are
no gradients, and `lod` is what it was when the form was made.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.inference.convolution import prepare
from stylegan.machine.compile import compile_or_eager
from stylegan.networks.generator import check_synthesis, noise_like
from stylegan.networks.growing import enlarge, level_and_fade
from stylegan.networks.precision import block_dtype
from stylegan.ops import filter2d, instance_norm, pixel_norm

Style = tuple[Tensor, Tensor] | None  # scale and shift [N, C]


class GrowingInferenceSynthesis(nn.Module):
    """ws -> image, with prepared blocks."""

    def __init__(self, synthesis: Any, precision: str, compile: bool):
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = synthesis.num_ws, synthesis.w_dim, synthesis.img_resolution
        resolutions = synthesis.block_resolutions
        self.level, fade = level_and_fade(synthesis.lod, len(resolutions))
        self.fade = nn.Buffer(fade) if fade is not None else None
        self.blocks = nn.ModuleList()
        for r in resolutions[: len(resolutions) - self.level]:
            block = getattr(synthesis, f"b{r}")
            # bfloat16 has the range of float32, so the marks, which keep low resolutions from overflow, are not needed
            marked = block.low_precision or (precision == "bf16" and r >= 8)
            self.blocks.append(_Block(block, block_dtype(marked, precision, synthesis.lod.device), compile))
        self._draw: Callable[[Tensor, list[Style], str], Tensor] = self._draw_eager
        if compile:
            self._draw = compile_or_eager(self._draw_eager)

    @torch.no_grad()
    def forward(self, ws: Tensor, *, noise_mode: str = "random") -> Tensor:
        """As `SynthesisNetwork.forward`. Raises: ShapeError for ws of another shape, ConfigError for another mode."""
        rows = check_synthesis(self, ws, noise_mode).expand(-1, max(self.num_ws, 2 * len(self.blocks)), -1).unbind(1)
        layers: list[Any] = [layer for block in self.blocks for layer in (block.layer0, block.layer1)]
        # Not in the compiled graph, which would compute the few numbers of a style anew at every pixel.
        styles = [layer.style(w) for layer, w in zip(layers, rows, strict=False)]
        first: Any = self.blocks[0]
        return self._draw(first.input(rows[0]), styles, noise_mode)

    def _draw_eager(self, x: Tensor, styles: list[Style], noise_mode: str) -> Tensor:
        coarse = x
        blocks: list[Any] = list(self.blocks)
        for i, block in enumerate(blocks):
            coarse, x = x, block(x, styles[2 * i], styles[2 * i + 1], noise_mode)
        img = blocks[-1].torgb(x)
        if self.fade is not None:
            img = img.lerp(enlarge(blocks[-2].torgb(coarse)), self.fade)
        return enlarge(img, self.level)


class _Block(nn.Module):
    """`SynthesisBlock`, prepared."""

    def __init__(self, block: Any, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.dtype = dtype
        self.const: Tensor | None
        self.dense: Tensor | None
        self.register_buffer("const", block.const.detach()[None].clone() if hasattr(block, "const") else None)
        self.register_buffer("dense", block.dense.detach() * block.dense_gain if hasattr(block, "dense") else None)
        self.layer0, self.layer1 = (_Layer(layer, dtype, compile) for layer in (block.layer0, block.layer1))
        self.torgb = _ToRGB(block.torgb, dtype)

    def input(self, w: Tensor) -> Tensor:
        """What the first block starts from, [N, C, 4, 4]."""
        if self.const is not None:
            x = self.const.expand(len(w), -1, -1, -1)
        else:
            assert self.dense is not None  # one of the two
            x = F.linear(w, self.dense).unflatten(1, [-1, 4, 4])
        return x.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, style0: Style, style1: Style, noise_mode: str) -> Tensor:
        return self.layer1(self.layer0(x.to(self.dtype), style0, noise_mode), style1, noise_mode)


class _Layer(nn.Module):
    """`SynthesisLayer`, prepared."""

    def __init__(self, layer: Any, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.normalize = _instance_norm_in_two_passes if compile else instance_norm
        self.options = layer.options
        if self.options.activation != "lrelu":
            raise ConfigError(f"the form for inference knows the activation lrelu, got {self.options.activation!r}.")
        self.convolve = _convolution(layer, dtype) if layer.weight is not None else None
        self.blur: Tensor | None
        self.register_buffer("blur", layer.blur)
        self.bias = nn.Buffer(layer.bias.detach()[:, None, None].to(dtype))
        self.affine = copy.deepcopy(layer.affine).requires_grad_(False) if self.options.use_styles else None
        if self.options.use_noise:
            self.noise_strength = nn.Buffer(layer.noise_strength.detach()[:, None, None].to(dtype))
            self.noise_const = nn.Buffer(layer.noise_const.to(dtype))

    def style(self, w: Tensor) -> Style:
        if self.affine is None:
            return None
        scale, shift = self.affine(w).chunk(2, 1)
        return scale + 1, shift

    def forward(self, x: Tensor, style: Style, noise_mode: str) -> Tensor:
        x = self.convolve(x) if self.convolve is not None else x
        x = filter2d(x, self.blur) if self.blur is not None else x
        x = x + self.bias
        if self.options.use_noise and noise_mode != "none":
            noise = noise_like(x, noise_mode, self.noise_const).to(x.dtype)
            x = torch.addcmul(x, noise, self.noise_strength)
        x = F.leaky_relu(x, 0.2)
        clamp = self.options.conv_clamp
        x = x.clamp(-clamp, clamp) if clamp is not None else x
        x = pixel_norm(x) if self.options.use_pixel_norm else x
        if self.options.use_instance_norm:
            return self.normalize(x, *(style or ()))
        if style is None:
            return x
        scale, shift = (s[:, :, None, None].to(x.dtype) for s in style)
        return torch.addcmul(shift, x, scale)


def _convolution(layer: Any, dtype: torch.dtype) -> nn.Module:
    weight = layer.weight.detach() * layer.weight_gain
    if layer.up == 1:
        return prepare(weight, dtype, None)
    return prepare(weight.flip([2, 3]), dtype, layer.box)  # which takes enlarging kernels for convolution


class _ToRGB(nn.Module):
    def __init__(self, torgb: Any, dtype: torch.dtype):
        super().__init__()
        self.weight = nn.Buffer((torgb.weight.detach() * torgb.weight_gain)[:, :, 0, 0].t().to(dtype).contiguous())
        self.bias = nn.Buffer(torgb.bias.detach()[:, None, None].clone())

    def forward(self, x: Tensor) -> Tensor:
        """x [N, C, H, W] -> [N, img_channels, H, W] float32"""
        return (x.permute(0, 2, 3, 1) @ self.weight).permute(0, 3, 1, 2).to(torch.float32) + self.bias


def _instance_norm_in_two_passes(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """`instance_norm` for a compiler: statistics in one pass, by pieces that a cache can hold, then an affine map."""
    n, c, h, w = x.shape
    pieces = x.permute(0, 2, 3, 1).reshape(n, -1, min(h * w, 64), c).to(torch.float32)
    variance, mean = torch.var_mean(pieces, 2, unbiased=False)
    factor = (variance.mean(1) + mean.var(1, unbiased=False) + 1e-8).rsqrt()
    factor = factor * scale if scale is not None else factor
    term = -mean.mean(1) * factor
    term = term + shift if shift is not None else term
    return (x * factor[:, :, None, None] + term[:, :, None, None]).to(x.dtype)
