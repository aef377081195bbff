"""The discriminator of StyleGAN2, 2-ADA and 3: Karras et al. 2020a Fig. 7, Karras et al. 2020b App. D.

The names in the state dict are those of the official PyTorch releases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.layers import SQRT_HALF, EqualizedConv2d, EqualizedLinear, MinibatchStd
from stylegan.networks.mapping import MappingNetwork
from stylegan.networks.precision import block_dtype, is_marked
from stylegan.networks.sizes import channels_at, check_architecture, resolutions
from stylegan.ops import downsample2d, setup_filter


class DiscriminatorBlock(nn.Module):
    """One resolution of the discriminator, in any of the three forms of StyleGAN2 Fig. 7."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        img_channels: int,
        *,
        architecture: str,
        low_precision: bool,
        conv_clamp: float | None,
        first_layer: int,
        freeze_layers: int,
        resample_filter: Sequence[float],
        activation: str,
    ):
        super().__init__()
        self.architecture, self.low_precision = architecture, low_precision
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        self.num_layers = 0

        def conv(in_channels: int, out_channels: int, kernel: int, **options: Any) -> EqualizedConv2d:
            trainable = first_layer + self.num_layers >= freeze_layers
            self.num_layers += 1
            options = {"resample_filter": resample_filter, "trainable": trainable, **options}
            return EqualizedConv2d(in_channels, out_channels, kernel, **options)

        act: dict[str, Any] = {"activation": activation, "conv_clamp": conv_clamp}
        if in_channels == 0 or architecture == "skip":
            self.fromrgb = conv(img_channels, mid_channels, 1, **act)
        self.conv0 = conv(mid_channels, mid_channels, 3, **act)
        self.conv1 = conv(mid_channels, out_channels, 3, down=2, **act)
        if architecture == "resnet":
            self.skip = conv(mid_channels, out_channels, 1, bias=False, down=2)

    def forward(self, x: Tensor | None, img: Tensor | None, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        """
        Args:
            x: [N, in_channels, H, W]; None for the first block.
            img: [N, img_channels, H, W] where this block reads it, else None.
        Returns: (x [N, out_channels, H/2, W/2], the image for the next block or None)
        """
        if x is not None:
            x = x.to(dtype)
        if img is not None:
            y = self.fromrgb(img.to(dtype))
            x = y if x is None else x + y
            img = downsample2d(img, self.resample_filter) if self.architecture == "skip" else None
        if self.architecture == "resnet":
            y = self.skip(x, gain=SQRT_HALF)
            x = y + self.conv1(self.conv0(x), gain=SQRT_HALF)
        else:
            x = self.conv1(self.conv0(x))
        return x, img


class DiscriminatorEpilogue(nn.Module):
    """The last 4x4 pixels to logits, in float32."""

    def __init__(
        self,
        in_channels: int,
        cmap_dim: int,
        img_channels: int,
        *,
        architecture: str,
        mbstd_group_size: int | None,
        mbstd_num_channels: int,
        conv_clamp: float | None,
        activation: str,
    ):
        super().__init__()
        self.cmap_dim = cmap_dim
        if architecture == "skip":
            self.fromrgb = EqualizedConv2d(img_channels, in_channels, 1, activation=activation)
        if mbstd_num_channels > 0:
            self.mbstd = MinibatchStd(mbstd_group_size, mbstd_num_channels)
        self.conv = EqualizedConv2d(
            in_channels + mbstd_num_channels, in_channels, 3, activation=activation, conv_clamp=conv_clamp
        )
        self.fc = EqualizedLinear(in_channels * 4 * 4, in_channels, activation=activation)
        self.out = EqualizedLinear(in_channels, cmap_dim or 1)

    def forward(self, x: Tensor | None, img: Tensor | None, cmap: Tensor | None) -> Tensor:
        """x [N, C, 4, 4], img [N, img_channels, 4, 4] or None, cmap [N, cmap_dim] or None -> logits [N, 1]"""
        if img is not None:
            y = self.fromrgb(img)
            x = y if x is None else x + y
        assert x is not None
        x = self.mbstd(x) if hasattr(self, "mbstd") else x
        x = self.conv(x)
        x = self.out(self.fc(x.flatten(1)))
        if cmap is not None:
            # Projection: how far the image lies along its label's direction. Miyato and Koyama 2018.
            x = (x * cmap).sum(1, keepdim=True) / math.sqrt(self.cmap_dim)
        return x


class Discriminator(FamilyDiscriminator):
    """An image, optionally with a label, to a logit that is high where it looks real.

    Args:
        c_dim, img_resolution, img_channels, channel_base, channel_max, num_fp16_res, conv_clamp: as in `Generator`.
        architecture: "resnet", "orig" or "skip", StyleGAN2 Fig. 7.
        mbstd_group_size, mbstd_num_channels: see `ops.minibatch_std`; 0 channels leave it out.
        mapping_layers: fully connected layers of the label's mapping network.
        cmap_dim: width of the mapped label; default: the channels at 4x4.
        freeze_layers: the first so many layers are not trained (Freeze-D).
    Raises: ConfigError for a resolution or architecture that is not one of these.
    """

    def __init__(
        self,
        c_dim: int = 0,
        img_resolution: int = 256,
        img_channels: int = 3,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        architecture: str = "resnet",
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        mapping_layers: int = 8,
        cmap_dim: int | None = None,
        num_fp16_res: int = 0,
        conv_clamp: float | None = None,
        freeze_layers: int = 0,
        resample_filter: Sequence[float] = (1, 3, 3, 1),
        activation: str = "lrelu",
    ):
        super().__init__(locals())
        self.architecture = check_architecture(architecture)
        self.block_resolutions = [r for r in reversed(resolutions(img_resolution)) if r > 4]
        if not self.block_resolutions:
            raise ConfigError(f"a discriminator needs images of at least 8x8, got {img_resolution}x{img_resolution}.")
        num_layers = 0
        for r in self.block_resolutions:
            block = DiscriminatorBlock(
                channels_at(r, channel_base, channel_max) if r < img_resolution else 0,
                channels_at(r, channel_base, channel_max),
                channels_at(r // 2, channel_base, channel_max),
                img_channels,
                architecture=architecture,
                low_precision=is_marked(r, img_resolution, num_fp16_res),
                conv_clamp=conv_clamp,
                first_layer=num_layers,
                freeze_layers=freeze_layers,
                resample_filter=resample_filter,
                activation=activation,
            )
            num_layers += block.num_layers
            setattr(self, f"b{r}", block)
        channels = channels_at(4, channel_base, channel_max)
        cmap_dim = 0 if c_dim == 0 else channels if cmap_dim is None else cmap_dim
        if c_dim > 0:
            self.mapping = MappingNetwork(0, c_dim, cmap_dim, None, num_layers=mapping_layers)
        self.b4 = DiscriminatorEpilogue(
            channels,
            cmap_dim,
            img_channels,
            architecture=architecture,
            mbstd_group_size=mbstd_group_size,
            mbstd_num_channels=mbstd_num_channels,
            conv_clamp=conv_clamp,
            activation=activation,
        )

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """
        Args:
            img: [N, img_channels, R, R] in [-1, 1].
            c: [N, c_dim] labels; None where c_dim is 0.
        Returns: logits [N, 1] float32.
        Raises: ShapeError for an image or label of another shape.
        """
        self.check(img, c)
        img_: Tensor | None = img.to(torch.float32).contiguous(memory_format=torch.channels_last)
        x = None
        for r in self.block_resolutions:
            block: DiscriminatorBlock = getattr(self, f"b{r}")
            x, img_ = block(x, img_, block_dtype(block.low_precision, self._precision, img.device))
        cmap = self.mapping(None, c) if self.c_dim > 0 else None
        return self.b4(x.to(torch.float32) if x is not None else None, img_, cmap)
