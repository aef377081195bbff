"""Progressive growing: ProGAN Sec. 2 and Fig. 2. ProGAN and StyleGAN1 share it, each with layers of its own.

The level of detail `lod` is 0 at full resolution and one more for each halving. Between two whole numbers the image of
the higher resolution is mixed with that of the lower one. Networks take and return images of full size at every level.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.networks.generator import FamilyGenerator, FamilySynthesis
from stylegan.networks.layers import EqualizedConv2d
from stylegan.networks.precision import block_dtype
from stylegan.networks.sizes import PyramidSettings
from stylegan.ops.number_formats import wide


class GrowingBlock(nn.Module):
    """Base class of one resolution of a growing generator: x of half the size, or None at 4x4, to features.

    `forward` takes x [N, I, H/2, W/2], w0 and w1 [N, D] for its two layers, the noise mode and the dtype of the
    activations, and returns [N, O, H, W].
    """

    low_precision: bool
    torgb: EqualizedConv2d

    def image(self, x: Tensor) -> Tensor:
        """Convert features to an image: [N, O, H, W] -> [N, img_channels, H, W] float32"""
        return wide(self.torgb(x))


class GrowingSynthesis(FamilySynthesis):
    """ws to images of full size, drawn at the resolution that `lod` selects.

    Args:
        settings: of the generator.
        w_dim: width of w.
        num_ws: rows of ws: one for each layer, or 1 that all of them share.
        block: makes the block of a resolution.
    """

    lod: Tensor

    def __init__(self, settings: PyramidSettings, w_dim: int, num_ws: int, block: Callable[[int], GrowingBlock]):
        super().__init__()
        self.w_dim, self.num_ws = w_dim, num_ws
        self.img_resolution, self.img_channels = settings.img_resolution, settings.img_channels
        self.block_resolutions = settings.resolutions
        self.register_buffer("lod", torch.zeros([]))
        for r in self.block_resolutions:
            setattr(self, f"b{r}", block(r))

    def forward(self, ws: Tensor, *, noise_mode: str = "random", force_fp32: bool = False) -> Tensor:
        """
        Args:
            ws: [N, num_ws, w_dim].
            noise_mode: "random" draws new noise, "const" takes the network's own, "none" adds none.
            force_fp32: compute as with the precision fp32.
        Returns: [N, img_channels, R, R] float32, nominally in [-1, 1].
        Raises: ShapeError for another shape, ConfigError for another mode.
        """
        ws, precision = self.checked(ws, noise_mode), "fp32" if force_fp32 else self.precision
        rows = ws.expand(-1, 2 * len(self.block_resolutions), -1).unbind(1)
        level, fade = level_and_fade(self.lod, len(self.block_resolutions))
        blocks: list[GrowingBlock] = [getattr(self, f"b{r}") for r in self.block_resolutions]
        blocks = blocks[: len(blocks) - level]
        x = coarse = None
        for i, block in enumerate(blocks):
            coarse = x
            dtype = block_dtype(block.low_precision, precision, ws.device, ws.dtype)
            x = block(x, rows[2 * i], rows[2 * i + 1], noise_mode, dtype)
        assert x is not None
        img = blocks[-1].image(x)
        if fade is not None and coarse is not None:
            img = img.lerp(enlarge(blocks[-2].image(coarse)), fade.to(img.dtype))
        return enlarge(img, level)


class GrowingGenerator(FamilyGenerator):
    """Base class of the generators that grow.

    Attributes:
        lod: scalar float32 buffer, the level of detail: 0 draws at full resolution, 1 at half of it. Set it with
            `lod.fill_(value)`.
    """

    grows = True
    synthesis: GrowingSynthesis

    @property
    def lod(self) -> Tensor:
        return self.synthesis.lod


def level_and_fade(lod: Tensor, num_levels: int) -> tuple[int, Tensor | None]:
    """Split `lod` into the number of highest resolutions that are left out and the share of the lower resolution in
    the image: a scalar in (0, 1), or None where nothing fades. There are `num_levels` resolutions."""
    if lod.is_meta:  # without values, take the largest size
        return 0, None
    level = min(max(int(lod), 0), num_levels - 1)
    fade = (lod - level).clamp(0, 1)
    return level, fade if level < num_levels - 1 and float(fade) > 0 else None


def enlarge(img: Tensor, levels: int = 1) -> Tensor:
    """Repeat pixels: [N, C, H, W] -> [N, C, H * 2**levels, W * 2**levels]."""
    return F.interpolate(img, scale_factor=float(2**levels), mode="nearest") if levels else img


def shrink(img: Tensor, levels: int = 1) -> Tensor:
    """Average boxes of pixels: [N, C, H, W] -> [N, C, H / 2**levels, W / 2**levels]."""
    return F.avg_pool2d(img, 2**levels) if levels else img
