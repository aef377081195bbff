"""Augmentation pipe: sixteen transformations, each applied to each image with probability multiplier * p."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stylegan.augment import color
from stylegan.augment.corruption import add_noise, cut_out
from stylegan.augment.filter import BANDS, filter_bands, filter_bank, normalized
from stylegan.augment.geometry import warp, wavelet
from stylegan.augment.matrices import rotation, scaling, translation
from stylegan.augment.randomness import Draws, PercentileDraws, RandomDraws
from stylegan.errors import ConfigError, ShapeError
from stylegan.machine.surroundings import float32_by_default, without_autocast

MULTIPLIERS = (
    "xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac", "brightness", "contrast", "lumaflip", "hue",
    "saturation", "imgfilter", "noise", "cutout",
)  # fmt: skip


class AugmentPipe(nn.Module):
    """Augments the images that the discriminator sees. StyleGAN2-ADA App. B.

    Every transformation is off (0) unless its multiplier is given; `preset` returns common combinations. The overall
    probability `p` is a buffer that training adapts: `pipe.p.fill_(0.2)`. Random numbers come from torch's global
    generator of the images' device. The pipe can be differentiated twice, as R1 and path length need.

    Args:
        xflip, rotate90, xint: multipliers of pixel blitting: horizontal flip, rotation by multiples of 90 degrees,
            translation by whole pixels.
        xint_max: largest translation, as a fraction of the image.
        scale, rotate, aniso, xfrac: multipliers of geometry: scaling, rotation, stretching, translation.
        scale_std, aniso_std, xfrac_std: standard deviations, of log2 of the factor or as a fraction of the image.
        rotate_max: largest angle, in units of 180 degrees.
        brightness, contrast, lumaflip, hue, saturation: multipliers of color transformations.
        brightness_std: standard deviation of the value added.
        contrast_std, saturation_std: standard deviations of log2 of the factor.
        hue_max: largest angle, in units of 180 degrees.
        imgfilter: multiplier of the amplification of frequency bands; imgfilter_bands: one more multiplier for each
            of the four bands, lowest first; imgfilter_std: standard deviation of log2 of the gains.
        noise: multiplier of RGB noise; noise_std: scale of its half-normal standard deviation.
        cutout: multiplier of setting a rectangle to zero; cutout_size: its sides as a fraction of the image.
    Raises: ConfigError for a negative multiplier, or if there are not four bands.
    """

    p: Tensor
    Hz_geom: Tensor
    Hz_fbank: Tensor

    def __init__(
        self,
        xflip: float = 0,
        rotate90: float = 0,
        xint: float = 0,
        xint_max: float = 0.125,
        scale: float = 0,
        rotate: float = 0,
        aniso: float = 0,
        xfrac: float = 0,
        scale_std: float = 0.2,
        rotate_max: float = 1,
        aniso_std: float = 0.2,
        xfrac_std: float = 0.125,
        brightness: float = 0,
        contrast: float = 0,
        lumaflip: float = 0,
        hue: float = 0,
        saturation: float = 0,
        brightness_std: float = 0.2,
        contrast_std: float = 0.5,
        hue_max: float = 1,
        saturation_std: float = 1,
        imgfilter: float = 0,
        imgfilter_bands: Sequence[float] = (1, 1, 1, 1),
        imgfilter_std: float = 1,
        noise: float = 0,
        cutout: float = 0,
        noise_std: float = 0.1,
        cutout_size: float = 0.5,
    ):
        super().__init__()
        self.xflip, self.rotate90, self.xint, self.xint_max = xflip, rotate90, xint, xint_max
        self.scale, self.rotate, self.aniso, self.xfrac = scale, rotate, aniso, xfrac
        self.scale_std, self.rotate_max, self.aniso_std, self.xfrac_std = scale_std, rotate_max, aniso_std, xfrac_std
        self.brightness, self.contrast, self.lumaflip = brightness, contrast, lumaflip
        self.hue, self.saturation = hue, saturation
        self.brightness_std, self.contrast_std = brightness_std, contrast_std
        self.hue_max, self.saturation_std = hue_max, saturation_std
        self.imgfilter, self.imgfilter_bands, self.imgfilter_std = imgfilter, tuple(imgfilter_bands), imgfilter_std
        self.noise, self.cutout, self.noise_std, self.cutout_size = noise, cutout, noise_std, cutout_size
        for name in MULTIPLIERS:
            if not getattr(self, name) >= 0:
                raise ConfigError(f"the augmentation multiplier {name} must be 0 or more, got {getattr(self, name)}.")
        if len(self.imgfilter_bands) != BANDS:
            raise ConfigError(f"imgfilter_bands takes {BANDS} multipliers, got {len(self.imgfilter_bands)}.")
        self.register_buffer("p", torch.ones([]))
        self.register_buffer("Hz_geom", wavelet())
        self.register_buffer("Hz_fbank", filter_bank())

    @float32_by_default()
    @without_autocast()
    def forward(self, images: Tensor, debug_percentile: float | None = None) -> Tensor:
        """Augment every image with its own random values.

        Args:
            images: [N, C, H, W] float32 or float64, nominally in [-1, 1]; on the device of the pipe.
            debug_percentile: in [0, 1); uses this percentile of every distribution and applies every transformation.
        Returns: a tensor of the same shape; values may leave [-1, 1].
        Raises: ShapeError if a transformation does not support the number of channels or the size.
        """
        if images.ndim != 4:
            raise ShapeError(f"augmentation takes images [N, C, H, W], got shape {list(images.shape)}.")
        (n, channels, h, w), device = images.shape, images.device
        draws: Draws = RandomDraws(n, device)
        if debug_percentile is not None:
            draws = PercentileDraws(n, device, debug_percentile)

        if any([self.xflip, self.rotate90, self.xint, self.scale, self.rotate, self.aniso, self.xfrac]):
            images = warp(images, self._geometry(draws, h, w), self.Hz_geom)
        if any([self.brightness, self.contrast, self.lumaflip, self.hue, self.saturation]):
            images = color.recolor(images, self._color(draws, channels))
        if self.imgfilter > 0:
            images = filter_bands(images, self._band_gains(draws), self.Hz_fbank)
        if self.noise > 0:
            images = add_noise(images, draws.gate(self.noise * self.p, draws.half_normal() * self.noise_std, 0))
        if self.cutout > 0:
            size = torch.full([n], float(self.cutout_size), device=device)
            size = draws.gate(self.cutout * self.p, size, 0)
            images = cut_out(images, draws.unit(2), size)
        return images

    def _geometry(self, draws: Draws, h: int, w: int) -> Tensor:
        """Return G_inv of transformations 1-8, [N, 3, 3]: the product of their inverses, from left to right."""
        p, device = self.p, self.p.device
        G_inv = torch.eye(3, device=device).expand(draws.n, 3, 3)
        if self.xflip > 0:
            i = draws.gate(self.xflip * p, draws.integer(2), 0)
            G_inv = G_inv @ scaling(1 - 2 * i, 1, device)
        if self.rotate90 > 0:
            i = draws.gate(self.rotate90 * p, draws.integer(4), 0)
            G_inv = G_inv @ rotation(math.pi / 2 * i)
        if self.xint > 0:
            x, y = draws.gate(self.xint * p, draws.symmetric(2) * self.xint_max, 0).unbind(1)
            G_inv = G_inv @ translation(-(x * w).round(), -(y * h).round(), device)
        if self.scale > 0:
            s = draws.gate(self.scale * p, (draws.normal() * self.scale_std).exp2(), 1)
            G_inv = G_inv @ scaling(1 / s, 1 / s, device)
        # stretching is between two rotations; at least one of them is applied with probability rotate * p
        p_rot = 1 - (1 - self.rotate * p).clamp(0, 1).sqrt()
        if self.rotate > 0:
            theta = draws.gate(p_rot, draws.symmetric() * math.pi * self.rotate_max, 0)
            G_inv = G_inv @ rotation(theta)
        if self.aniso > 0:
            s = draws.gate(self.aniso * p, (draws.normal() * self.aniso_std).exp2(), 1)
            G_inv = G_inv @ scaling(1 / s, s, device)
        if self.rotate > 0:
            theta = draws.gate(p_rot, draws.symmetric_again() * math.pi * self.rotate_max, 0)
            G_inv = G_inv @ rotation(theta)
        if self.xfrac > 0:
            x, y = draws.gate(self.xfrac * p, draws.normal(2) * self.xfrac_std, 0).unbind(1)
            G_inv = G_inv @ translation(-x * w, -y * h, device)
        return G_inv

    def _color(self, draws: Draws, channels: int) -> Tensor:
        """Return C of transformations 9-13, [N, 4, 4], each multiplied from the left. Gray images have no chroma."""
        p = self.p
        C = torch.eye(4, device=p.device).expand(draws.n, 4, 4)
        if self.brightness > 0:
            C = color.brightness(draws.gate(self.brightness * p, draws.normal() * self.brightness_std, 0)) @ C
        if self.contrast > 0:
            C = color.contrast(draws.gate(self.contrast * p, (draws.normal() * self.contrast_std).exp2(), 1)) @ C
        if self.lumaflip > 0:
            C = color.luma_flip(draws.gate(self.lumaflip * p, draws.integer(2), 0)) @ C
        if self.hue > 0 and channels > 1:
            C = color.hue(draws.gate(self.hue * p, draws.symmetric() * math.pi * self.hue_max, 0)) @ C
        if self.saturation > 0 and channels > 1:
            C = color.saturation(draws.gate(self.saturation * p, (draws.normal() * self.saturation_std).exp2(), 1)) @ C
        return C

    def _band_gains(self, draws: Draws) -> Tensor:
        """Return g of transformation 14, [N, 4]: the bands are amplified one after the other at constant power."""
        gains = []
        for band, multiplier in enumerate(self.imgfilter_bands):
            amplify = (draws.normal() * self.imgfilter_std).exp2()
            t = draws.gate(self.imgfilter * self.p * multiplier, amplify, 1)
            one = torch.ones_like(t)
            gains.append(normalized(torch.stack([t if i == band else one for i in range(BANDS)], 1)))
        return torch.stack(gains).prod(0)
