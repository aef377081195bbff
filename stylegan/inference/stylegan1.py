"""The synthesis network of StyleGAN1 prepared for inference."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.inference.growing import DenseInput, GrowingInferenceSynthesis, convolution
from stylegan.networks.generator import NoiseMode, noise_like
from stylegan.networks.growing import GrowingSynthesis
from stylegan.networks.layers import frozen
from stylegan.networks.stylegan1 import SynthesisBlock, SynthesisLayer
from stylegan.ops import filter2d, instance_norm, pixel_norm
from stylegan.ops.number_formats import channels_last, wide

Style = tuple[Tensor, Tensor] | None  # scale and shift [N, C]


class StyleGAN1InferenceSynthesis(GrowingInferenceSynthesis):
    """ws -> image, with prepared blocks."""

    def __init__(self, synthesis: GrowingSynthesis, precision: str, compile: bool):
        super().__init__(synthesis, precision, compile)
        drawn = self.drawn(synthesis)
        first: SynthesisBlock = drawn[0][0]
        self.input = _ConstInput(first.const) if first.const_input else DenseInput(first)
        self.blocks = cast("list[_Block]", nn.ModuleList(_Block(block, dtype, compile) for block, dtype in drawn))

    def prepare_inputs(self, ws: Tensor) -> tuple[Tensor, list[tuple[Style, Style]]]:
        rows = ws.unbind(1)
        styles = [block.styles(*rows[2 * i : 2 * i + 2]) for i, block in enumerate(self.blocks)]
        return self.input(rows[0]), styles

    def draw(self, x: Tensor, styles: list[tuple[Style, Style]], *, noise_mode: NoiseMode) -> Tensor:  # type: ignore[override]
        coarse = x
        for block, style in zip(self.blocks, styles, strict=True):
            coarse, x = x, block(x, *style, noise_mode)
        return self.image(x, coarse)


class _ConstInput(nn.Module):
    """The learned constant, for every image."""

    def __init__(self, const: Tensor):
        super().__init__()
        self.const = nn.Buffer(wide(const.detach())[None].clone())

    def forward(self, w: Tensor) -> Tensor:
        """w [N, D] -> [N, C, 4, 4]"""
        return channels_last(self.const.expand(w.shape[0], -1, -1, -1))


class _Block(nn.Module):
    """`SynthesisBlock`, prepared."""

    def __init__(self, block: SynthesisBlock, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.dtype = dtype
        self.layer0, self.layer1 = _Layer(block.layer0, dtype, compile), _Layer(block.layer1, dtype, compile)

    def styles(self, w0: Tensor, w1: Tensor) -> tuple[Style, Style]:
        """w [N, D] of both layers -> their styles."""
        return self.layer0.style(w0), self.layer1.style(w1)

    def forward(self, x: Tensor, style0: Style, style1: Style, noise_mode: NoiseMode) -> Tensor:
        return self.layer1(self.layer0(x.to(self.dtype), style0, noise_mode), style1, noise_mode)


class _Layer(nn.Module):
    """`SynthesisLayer`, prepared."""

    def __init__(self, layer: SynthesisLayer, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.settings = layer.settings
        if self.settings.activation != "lrelu":
            raise ConfigError(f"the form for inference knows the activation lrelu, got {self.settings.activation!r}.")
        self.normalize = _instance_norm_in_two_passes if compile else instance_norm
        self.convolve = convolution(layer, dtype, compile)
        self.blur: Tensor | None
        self.register_buffer("blur", layer.blur.clone() if layer.blur is not None else None)
        self.bias = nn.Buffer(layer.bias.detach()[:, None, None].to(dtype))
        self.affine = frozen(layer.affine) if self.settings.use_styles else None
        if self.settings.use_noise:
            self.noise_strength = nn.Buffer(layer.noise_strength.detach()[:, None, None].to(dtype))
            self.noise_const = nn.Buffer(layer.noise_const.to(dtype))

    def style(self, w: Tensor) -> Style:
        """w [N, D] -> scale and shift [N, C], None where there are no styles."""
        if self.affine is None:
            return None
        scale, shift = self.affine(w).chunk(2, 1)
        return scale + 1, shift

    def forward(self, x: Tensor, style: Style, noise_mode: NoiseMode) -> Tensor:
        x = self.convolve(x) if self.convolve is not None else x
        x = filter2d(x, self.blur) if self.blur is not None else x
        x = x + self.bias
        if self.settings.use_noise and noise_mode != "none":
            noise = noise_like(x, noise_mode, self.noise_const).to(x.dtype)
            x = torch.addcmul(x, noise, self.noise_strength)
        x = F.leaky_relu(x, 0.2)
        clamp = self.settings.conv_clamp
        x = x.clamp(-clamp, clamp) if clamp is not None else x
        x = pixel_norm(x) if self.settings.use_pixel_norm else x
        if self.settings.use_instance_norm:
            return self.normalize(x, *(style or ()))
        if style is None:
            return x
        scale, shift = (s[:, :, None, None].to(x.dtype) for s in style)
        return torch.addcmul(shift, x, scale)


def _instance_norm_in_two_passes(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
    """`instance_norm` for a compiler: statistics in one pass, by pieces that fit in a cache, then an affine map."""
    n, c, h, w = x.shape
    pieces = x.permute(0, 2, 3, 1).reshape(n, -1, min(h * w, 64), c)
    variance, mean = torch.var_mean(wide(pieces), 2, unbiased=False)
    factor = (variance.mean(1) + mean.var(1, unbiased=False) + 1e-8).rsqrt()
    factor = factor * scale if scale is not None else factor
    term = -mean.mean(1) * factor
    term = term + shift if shift is not None else term
    return (x * factor[:, :, None, None] + term[:, :, None, None]).to(x.dtype)
