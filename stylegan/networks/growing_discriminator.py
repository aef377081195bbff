"""The discriminator of ProGAN and StyleGAN1, which grows: Karras et al. 2018 Fig. 2 and Table 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.growing import level_and_fade, shrink
from stylegan.networks.layers import EqualizedConv2d, EqualizedLinear, MinibatchStd
from stylegan.networks.precision import block_dtype, is_marked
from stylegan.networks.sizes import channels_at, resolutions
from stylegan.ops import filter2d, setup_filter


def convolution(in_channels: int, out_channels: int, kernel: int, conv_clamp: float | None, **options: Any):
    """With leaky ReLU; averages 2x2 boxes of pixels where it is told to shrink."""
    options = {"activation": "lrelu", "gain_in_weight": True, "conv_clamp": conv_clamp, **options}
    return EqualizedConv2d(in_channels, out_channels, kernel, resample_filter=(1, 1), **options)


class DiscriminatorBlock(nn.Module):
    """One resolution: two convolutions, the second halves the size. `fromrgb` is used where images come in."""

    blur: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        img_channels: int,
        *,
        blur_filter: Sequence[float] | None,
        low_precision: bool,
        conv_clamp: float | None,
    ):
        super().__init__()
        self.low_precision = low_precision
        self.fromrgb = convolution(img_channels, in_channels, 1, conv_clamp)
        self.conv0 = convolution(in_channels, in_channels, 3, conv_clamp)
        self.conv1 = convolution(in_channels, out_channels, 3, conv_clamp, down=2)
        self.register_buffer("blur", setup_filter(blur_filter) if blur_filter is not None else None)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] -> [N, O, H/2, W/2]"""
        x = self.conv0(x)
        x = filter2d(x, self.blur) if self.blur is not None else x
        return self.conv1(x)


class DiscriminatorEpilogue(nn.Module):
    """The last 4x4 pixels to scores, in float32."""

    low_precision = False

    def __init__(
        self,
        in_channels: int,
        img_channels: int,
        num_outputs: int,
        *,
        mbstd_group_size: int | None,
        mbstd_num_channels: int,
        conv_clamp: float | None,
    ):
        super().__init__()
        self.fromrgb = convolution(img_channels, in_channels, 1, None)
        self.mbstd = MinibatchStd(mbstd_group_size, mbstd_num_channels) if mbstd_num_channels > 0 else nn.Identity()
        self.conv = convolution(in_channels + mbstd_num_channels, in_channels, 3, conv_clamp)
        self.fc = EqualizedLinear(in_channels * 16, in_channels, activation="lrelu", gain_in_weight=True)
        self.out = EqualizedLinear(in_channels, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, C, 4, 4] -> [N, num_outputs]"""
        return self.out(self.fc(self.conv(self.mbstd(x)).flatten(1)))


class GrowingDiscriminator(FamilyDiscriminator):
    """An image of full size, looked at in the resolution that `lod` says, to `num_outputs` numbers.

    `args` are those of `stylegan1.Discriminator` or `progan.Discriminator`.
    """

    lod: Tensor

    def __init__(self, args: dict[str, Any], *, num_outputs: int, blur_filter: Sequence[float] | None):
        super().__init__(args)
        self.block_resolutions = resolutions(self.img_resolution)[::-1]
        channels = {r: channels_at(r, args["channel_base"], args["channel_max"]) for r in self.block_resolutions}
        self.register_buffer("lod", torch.zeros([]))
        for r in self.block_resolutions[:-1]:
            block = DiscriminatorBlock(
                channels[r],
                channels[r // 2],
                self.img_channels,
                blur_filter=blur_filter,
                low_precision=is_marked(r, self.img_resolution, args["num_fp16_res"]),
                conv_clamp=args["conv_clamp"],
            )
            setattr(self, f"b{r}", block)
        self.b4 = DiscriminatorEpilogue(
            channels[4],
            self.img_channels,
            num_outputs,
            mbstd_group_size=args["mbstd_group_size"],
            mbstd_num_channels=args["mbstd_num_channels"],
            conv_clamp=args["conv_clamp"],
        )

    def outputs(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """img [N, img_channels, R, R] in [-1, 1] -> [N, num_outputs] float32; `c` is only looked at where none must be.

        Raises: ShapeError for an image of another shape, or a label where there are none.
        """
        self.check(img, c)
        level, fade = level_and_fade(self.lod, len(self.block_resolutions))
        blocks: list[Any] = [getattr(self, f"b{r}") for r in self.block_resolutions[level:]]
        dtypes = [block_dtype(block.low_precision, self._precision, img.device) for block in blocks]
        img = shrink(img.to(torch.float32).contiguous(memory_format=torch.channels_last), level)
        x = blocks[0].fromrgb(img.to(dtypes[0]))
        for i, block in enumerate(blocks):
            x = block(x.to(dtypes[i]))
            if i == 0 and fade is not None:
                y = blocks[1].fromrgb(shrink(img).to(dtypes[1]))
                x = x.to(dtypes[1]).lerp(y, fade.to(dtypes[1]))
        return x
