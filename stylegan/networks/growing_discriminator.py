"""The discriminator of ProGAN and StyleGAN1, which grows: Karras et al. 2018 Fig. 2 and Table 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.growing import level_and_fade, shrink
from stylegan.networks.layers import EqualizedConv2d, EqualizedLinear, MinibatchStd
from stylegan.networks.precision import block_dtype
from stylegan.ops import filter2d, setup_filter
from stylegan.ops.number_formats import channels_last

if TYPE_CHECKING:
    from stylegan.networks import progan, stylegan1

    Settings = progan.DiscriminatorSettings | stylegan1.DiscriminatorSettings


def convolution(
    in_channels: int, out_channels: int, kernel: int, conv_clamp: float | None, *, down: int = 1
) -> EqualizedConv2d:
    """A convolution with leaky ReLU, which averages 2x2 boxes of pixels where it halves the size."""
    return EqualizedConv2d(
        in_channels,
        out_channels,
        kernel,
        activation="lrelu",
        down=down,
        resample_filter=(1, 1),
        conv_clamp=conv_clamp,
        gain_in_weight=True,
    )


class DiscriminatorBlock(nn.Module):
    """One resolution: two convolutions, the second halves the size. `fromrgb` is used where images come in."""

    blur: Tensor | None

    def __init__(self, resolution: int, settings: Settings, blur_filter: Sequence[float] | None):
        super().__init__()
        self.low_precision = settings.is_marked(resolution)
        in_channels, out_channels = settings.channels(resolution), settings.channels(resolution // 2)
        self.fromrgb = convolution(settings.img_channels, in_channels, 1, settings.conv_clamp)
        self.conv0 = convolution(in_channels, in_channels, 3, settings.conv_clamp)
        self.conv1 = convolution(in_channels, out_channels, 3, settings.conv_clamp, down=2)
        self.register_buffer("blur", setup_filter(blur_filter) if blur_filter is not None else None)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] -> [N, O, H/2, W/2]"""
        x = self.conv0(x)
        x = filter2d(x, self.blur) if self.blur is not None else x
        return self.conv1(x)


class DiscriminatorEpilogue(nn.Module):
    """The last 4x4 pixels to scores, in float32."""

    low_precision = False

    def __init__(self, settings: Settings, num_outputs: int):
        super().__init__()
        channels, std_channels = settings.channels(4), settings.mbstd_num_channels
        self.fromrgb = convolution(settings.img_channels, channels, 1, None)
        self.mbstd = MinibatchStd(settings.mbstd_group_size, std_channels) if std_channels > 0 else nn.Identity()
        self.conv = convolution(channels + std_channels, channels, 3, settings.conv_clamp)
        self.fc = EqualizedLinear(channels * 16, channels, activation="lrelu", gain_in_weight=True)
        self.out = EqualizedLinear(channels, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, C, 4, 4] -> [N, num_outputs]"""
        return self.out(self.fc(self.conv(self.mbstd(x)).flatten(1)))


class GrowingDiscriminator(FamilyDiscriminator):
    """Base class: an image of full size, judged at the resolution that `lod` selects, to `num_outputs` numbers."""

    lod: Tensor

    def __init__(self, settings: Settings, *, num_outputs: int, blur_filter: Sequence[float] | None):
        super().__init__(settings)
        self.block_resolutions = settings.resolutions[::-1]
        self.register_buffer("lod", torch.zeros([]))
        for r in self.block_resolutions[:-1]:
            setattr(self, f"b{r}", DiscriminatorBlock(r, settings, blur_filter))
        self.b4 = DiscriminatorEpilogue(settings, num_outputs)

    def outputs(self, img: Tensor) -> Tensor:
        """Return img [N, img_channels, R, R] in [-1, 1], which `checked` returned, as [N, num_outputs]."""
        level, fade = level_and_fade(self.lod, len(self.block_resolutions))
        blocks: list[DiscriminatorBlock] = [getattr(self, f"b{r}") for r in self.block_resolutions[level:]]
        dtypes = [block_dtype(block.low_precision, self._precision, img.device, img.dtype) for block in blocks]
        img = shrink(channels_last(img), level)
        x: Tensor = blocks[0].fromrgb(img.to(dtypes[0]))
        for i, block in enumerate(blocks):
            x = block(x.to(dtypes[i]))
            if i == 0 and fade is not None:
                y = blocks[1].fromrgb(shrink(img).to(dtypes[1]))
                x = x.to(dtypes[1]).lerp(y, fade.to(dtypes[1]))
        return x
