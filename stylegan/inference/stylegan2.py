"""The synthesis network of StyleGAN2 prepared for inference.

Everything that does not depend on w is computed once: weights are scaled, cast and laid out, their squares are summed
for demodulation, the noise and the gain of the activation are folded into constants.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.inference.composed_upsampling import image_taps, upsample_image
from stylegan.inference.convolution import prepare
from stylegan.inference.synthesis import InferenceSynthesis
from stylegan.networks import stylegan3
from stylegan.networks.generator import NoiseMode, noise_like
from stylegan.networks.layers import SQRT_HALF, frozen
from stylegan.networks.precision import block_dtype
from stylegan.networks.stylegan2 import SynthesisBlock, SynthesisLayer, SynthesisNetwork, ToRGB
from stylegan.ops import upsample2d
from stylegan.ops.modulated_conv2d import small_style, small_weight
from stylegan.ops.number_formats import channels_last, wide, wide_dtype

Styles = list[tuple[Tensor, ...]]  # the inputs of each layer of a block that depend on its w


class StyleGAN2InferenceSynthesis(InferenceSynthesis):
    """ws -> image, with prepared blocks."""

    def __init__(self, synthesis: SynthesisNetwork, precision: str, compile: bool):
        super().__init__(synthesis, precision, compile)
        self.blocks = cast("list[_Block]", nn.ModuleList())
        for block in synthesis.blocks:
            # bfloat16 has the range of float32, so the marks, which keep low resolutions from overflow, are not needed
            marked = block.low_precision or (precision == "bf16" and not block.is_first)
            f = block.resample_filter
            dtype = block_dtype(marked, precision, f.device, wide_dtype(f.dtype))
            self.blocks.append(_Block(block, dtype, compile))

    def prepare_inputs(self, ws: Tensor) -> tuple[list[Styles]]:
        styles, i = [], 0
        for block in self.blocks:
            styles.append(block.styles(ws[:, i:]))
            i += block.num_conv
        return (styles,)

    def draw(self, styles: list[Styles], *, noise_mode: NoiseMode) -> Tensor:  # type: ignore[override]
        x = img = None
        for block, s in zip(self.blocks, styles, strict=True):
            x, img = block(x, img, s, noise_mode)
        assert img is not None  # the last block has a toRGB
        return img


class _Block(nn.Module):
    """`SynthesisBlock`, prepared."""

    def __init__(self, block: SynthesisBlock, dtype: torch.dtype, compile: bool):
        super().__init__()
        self.dtype, self.num_conv = dtype, block.num_conv
        self.f = nn.Buffer(block.resample_filter.clone())
        self.taps = image_taps(block.resample_filter.cpu()) if compile else None
        if block.is_first:
            self.const = nn.Buffer(block.const.detach()[None].to(dtype))
        else:
            self.conv0 = _Layer(block.conv0, dtype, compile)
        self.conv1 = _Layer(block.conv1, dtype, compile, SQRT_HALF if block.skip is not None else 1.0)
        self.skip = frozen(block.skip) if block.skip is not None else None
        self.torgb = PreparedToRGB(block.torgb, dtype) if block.torgb is not None else None

    def styles(self, ws: Tensor) -> Styles:
        """Return the inputs of each layer that depend on w, from ws [N, num_conv + num_torgb or more, w_dim]."""
        layers: list[_Layer | PreparedToRGB] = [self.conv1] if self.num_conv == 1 else [self.conv0, self.conv1]
        layers += [self.torgb] if self.torgb is not None else []
        return [layer.style(w) for layer, w in zip(layers, ws.unbind(1), strict=False)]

    def forward(
        self, x: Tensor | None, img: Tensor | None, styles: Styles, noise_mode: NoiseMode
    ) -> tuple[Tensor, Tensor | None]:
        if x is None:
            x = channels_last(self.const.expand(styles[0][0].shape[0], -1, -1, -1))
            x = self.conv1(x, *styles[0], noise_mode)
        else:
            x = x.to(self.dtype)
            y = self.skip(x, gain=SQRT_HALF) if self.skip is not None else None
            x = self.conv1(self.conv0(x, *styles[0], noise_mode), *styles[1], noise_mode)
            x = x + y if y is not None else x
        if img is not None:
            img = upsample_image(img, self.taps) if self.taps else upsample2d(img, self.f)
        if self.torgb is not None:
            rgb = self.torgb(x, *styles[self.num_conv])
            img = rgb if img is None else img + rgb
        return x, img


class _Layer(nn.Module):
    """`SynthesisLayer`, prepared. lrelu(gain * x) = gain * lrelu(x), so the gain is a part of the constants."""

    def __init__(self, layer: SynthesisLayer, dtype: torch.dtype, compile: bool, gain: float = 1.0):
        super().__init__()
        self.dtype = dtype
        if layer.activation != "lrelu":
            raise ConfigError(f"the form for inference knows the activation lrelu, got {layer.activation!r}.")
        self.gain = layer.act_gain * gain
        self.clamp = layer.conv_clamp * gain if layer.conv_clamp is not None else None
        self.affine = frozen(layer.affine)
        weight = wide(layer.weight.detach())
        if dtype == torch.float16:
            weight = small_weight(weight)
        self.squares = nn.Buffer(weight.square().sum([2, 3]).t().contiguous())  # [I, O]
        f = layer.resample_filter if layer.up > 1 else None
        self.convolve = prepare(weight, dtype, f, layer.resolution, compile)
        self.bias = nn.Buffer((wide(layer.bias.detach()) * self.gain).to(dtype)[None, :, None, None])
        self.use_noise = layer.use_noise
        if layer.use_noise:
            strength = layer.noise_strength.detach()
            self.noise_strength = nn.Buffer(torch.full_like(wide(strength), strength.item() * self.gain))
            self.noise_const = nn.Buffer(layer.noise_const.clone())

    def style(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """w [N, D] -> factors on the input [N, I, 1, 1] and on the output [N, O, 1, 1]."""
        s = self.affine(w)
        if self.dtype == torch.float16:
            s = small_style(s)
        d = (s.square() @ self.squares + 1e-8).rsqrt() * self.gain
        return s.to(self.dtype)[:, :, None, None], d.to(self.dtype)[:, :, None, None]

    def forward(self, x: Tensor, s: Tensor, d: Tensor, noise_mode: NoiseMode) -> Tensor:
        x = self.convolve(x * s) * d + self.bias
        if self.use_noise and noise_mode != "none":
            x = x + (noise_like(x, noise_mode, self.noise_const) * self.noise_strength).to(x.dtype)
        x = F.leaky_relu(x, 0.2)
        return x.clamp(-self.clamp, self.clamp) if self.clamp is not None else x


class PreparedToRGB(nn.Module):
    """`ToRGB`, prepared: one matrix per image, so that the features are read once and never scaled."""

    def __init__(self, layer: ToRGB | stylegan3.ToRGB, dtype: torch.dtype, input_gain: Tensor | float = 1.0):
        super().__init__()
        self.dtype, self.clamp = dtype, layer.conv_clamp
        self.affine = frozen(layer.affine)
        weight = wide(layer.weight.detach()) * (layer.weight_gain * input_gain)
        self.weight = nn.Buffer(weight[:, :, 0, 0].t().contiguous())  # [I, C]
        self.bias = nn.Buffer(wide(layer.bias.detach())[None, :, None, None].clone())

    def style(self, w: Tensor) -> tuple[Tensor, ...]:
        """w [N, D] -> kernels [N, I, C]."""
        return ((self.affine(w)[:, :, None] * self.weight).to(self.dtype),)

    def forward(self, x: Tensor, kernel: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        rgb = torch.bmm(x.to(self.dtype).permute(0, 2, 3, 1).reshape(n, height * width, channels), kernel)
        rgb = wide(rgb.reshape(n, height, width, -1).permute(0, 3, 1, 2)) + self.bias
        return rgb.clamp(-self.clamp, self.clamp) if self.clamp is not None else rgb
