"""The synthesis network of ProGAN and StyleGAN1, which grows: Karras et al. 2018 Fig. 2, Karras et al. 2019 Fig. 1.

All kernels are for correlation: an enlarging layer repeats pixels, then correlates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.networks.generator import FamilyGenerator, check_synthesis, noise_like
from stylegan.networks.growing import enlarge, level_and_fade
from stylegan.networks.layers import EqualizedConv2d, EqualizedLinear
from stylegan.networks.precision import block_dtype, is_marked
from stylegan.networks.sizes import channels_at, resolutions
from stylegan.ops import bias_act, filter2d, instance_norm, pixel_norm, resample_conv2d, setup_filter
from stylegan.ops.bias_act import activation_gain


@dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """What all layers do behind their convolution. See `stylegan1.Generator`."""

    use_styles: bool
    use_noise: bool
    use_pixel_norm: bool
    use_instance_norm: bool
    blur_filter: Sequence[float] | None
    activation: str
    conv_clamp: float | None


class SynthesisLayer(nn.Module):
    """[Convolution, blur,] noise, bias, leaky ReLU, normalization, style. StyleGAN Fig. 1(b).

    Without `in_channels` there is no convolution: what follows the learned constant.
    """

    noise_const: Tensor
    box: Tensor
    blur: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        options: LayerOptions,
        *,
        up: int,
    ):
        super().__init__()
        self.options, self.up = options, up
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3)) if in_channels > 0 else None
        self.weight_gain = activation_gain(options.activation) / math.sqrt(max(in_channels, 1) * 9)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        if options.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros(out_channels))
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
        if options.use_styles:
            self.affine = EqualizedLinear(w_dim, 2 * out_channels)  # scales less one, then shifts
        # Repeating a pixel is filtering zero-stuffed images with a box.
        self.register_buffer("box", setup_filter([1, 1]))
        blur = setup_filter(options.blur_filter) if up > 1 and options.blur_filter is not None else None
        self.register_buffer("blur", blur)

    def forward(self, x: Tensor, w: Tensor, noise_mode: str = "random") -> Tensor:
        """x [N, I, H, W], w [N, D] -> [N, O, H*up, W*up]"""
        if self.weight is not None:
            weight = (self.weight * self.weight_gain).to(x.dtype)
            x = resample_conv2d(x, weight, self.box if self.up > 1 else None, up=self.up, padding=1)
            x = filter2d(x, self.blur) if self.blur is not None else x
        if self.options.use_noise and noise_mode != "none":
            noise = noise_like(x, noise_mode, self.noise_const).to(x.dtype)
            x = torch.addcmul(x, noise, self.noise_strength[:, None, None].to(x.dtype))
        x = bias_act(x, self.bias, act=self.options.activation, gain=1, clamp=self.options.conv_clamp)
        x = pixel_norm(x) if self.options.use_pixel_norm else x
        style = self.style(w) if self.options.use_styles else ()
        if self.options.use_instance_norm:
            return instance_norm(x, *style)
        if style:
            scale, shift = (s[:, :, None, None].to(x.dtype) for s in style)
            x = torch.addcmul(shift, x, scale)
        return x

    def style(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """w [N, D] -> scale and shift [N, O], near 1 and 0."""
        scale, shift = self.affine(w).chunk(2, 1)
        return scale + 1, shift


class SynthesisBlock(nn.Module):
    """One resolution: two layers, and the way to an image. The first block starts from a constant or from w."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        options: LayerOptions,
        *,
        low_precision: bool,
        const_input: bool,
    ):
        super().__init__()
        self.low_precision, self.const_input = low_precision, const_input
        self.up = 1 if in_channels == 0 else 2
        if in_channels == 0 and const_input:
            self.const = nn.Parameter(torch.ones(out_channels, 4, 4))
        elif in_channels == 0:
            self.dense = nn.Parameter(torch.randn(out_channels * 16, w_dim))
            self.dense_gain = activation_gain(options.activation) / (4 * math.sqrt(w_dim))
        self.layer0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, options, up=self.up)
        self.layer1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, options, up=1)
        self.torgb = EqualizedConv2d(out_channels, img_channels, 1, resample_filter=(1,))

    def forward(self, x: Tensor | None, w0: Tensor, w1: Tensor, noise_mode: str, dtype: torch.dtype) -> Tensor:
        """x [N, I, H/2, W/2] or None for the first block, w0 and w1 [N, D] -> [N, O, H, W] of `dtype`"""
        if x is None and self.const_input:
            x = self.const.expand(len(w0), -1, -1, -1)
        elif x is None:
            x = F.linear(w0, self.dense * self.dense_gain).unflatten(1, [-1, 4, 4])
        x = x.to(dtype).contiguous(memory_format=torch.channels_last) if self.up == 1 else x.to(dtype)
        return self.layer1(self.layer0(x, w0, noise_mode), w1, noise_mode)

    def image(self, x: Tensor) -> Tensor:
        """What the block draws: [N, O, H, W] -> [N, img_channels, H, W] float32"""
        return self.torgb(x).to(torch.float32)


class SynthesisNetwork(nn.Module):
    """One w per layer to an image of full size, drawn at the resolution that `lod` says.

    Args:
        num_ws: rows of ws: one for each layer, or 1 that all of them share.
        Others: see `stylegan1.Generator`.
    """

    lod: Tensor

    def __init__(
        self,
        w_dim: int,
        num_ws: int,
        img_resolution: int,
        img_channels: int,
        options: LayerOptions,
        *,
        channel_base: int,
        channel_max: int,
        num_fp16_res: int,
        const_input: bool,
    ):
        super().__init__()
        self.w_dim, self.num_ws = w_dim, num_ws
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.block_resolutions = resolutions(img_resolution)
        self.precision = "auto"
        self.register_buffer("lod", torch.zeros([]))
        for r in self.block_resolutions:
            block = SynthesisBlock(
                channels_at(r // 2, channel_base, channel_max) if r > 4 else 0,
                channels_at(r, channel_base, channel_max),
                w_dim,
                r,
                img_channels,
                options,
                low_precision=is_marked(r, img_resolution, num_fp16_res),
                const_input=const_input,
            )
            setattr(self, f"b{r}", block)

    def forward(self, ws: Tensor, *, noise_mode: str = "random") -> Tensor:
        """
        Args:
            ws: [N, num_ws, w_dim].
            noise_mode: "random" draws anew, "const" takes the network's own, "none" adds none.
        Returns: [N, img_channels, R, R] float32, nominally in [-1, 1].
        Raises: ShapeError for another shape, ConfigError for another mode.
        """
        ws = check_synthesis(self, ws, noise_mode).to(torch.float32)
        rows = ws.expand(-1, 2 * len(self.block_resolutions), -1).unbind(1)
        level, fade = level_and_fade(self.lod, len(self.block_resolutions))
        blocks: list[Any] = [getattr(self, f"b{r}") for r in self.block_resolutions]
        blocks = blocks[: len(blocks) - level]
        x = coarse = None
        for i, block in enumerate(blocks):
            coarse = x
            x = block(
                x, *rows[2 * i : 2 * i + 2], noise_mode, block_dtype(block.low_precision, self.precision, ws.device)
            )
        img = blocks[-1].image(x)
        if fade is not None:
            img = img.lerp(enlarge(blocks[-2].image(coarse)), fade)
        return enlarge(img, level)


class GrowingGenerator(FamilyGenerator):
    """A generator with this synthesis network."""

    grows = True

    @property
    def lod(self) -> Tensor:
        return self.synthesis.lod
