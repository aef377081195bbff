"""The discriminator of StyleGAN2, 2-ADA and 3: Karras et al. 2020a Fig. 7, Karras et al. 2020b App. D.

The names in the state dict are those of the official PyTorch releases.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.layers import SQRT_HALF, EqualizedConv2d, EqualizedLinear, MinibatchStd
from stylegan.networks.mapping import MappingNetwork
from stylegan.networks.precision import block_dtype
from stylegan.networks.settings import (
    Activation,
    ChannelBase,
    Count,
    ImageChannels,
    LabelWidth,
    Positive,
    Resolution,
    Taps,
    Whole,
    Width,
    by_words,
)
from stylegan.networks.sizes import Form, PyramidSettings
from stylegan.ops import downsample2d, setup_filter
from stylegan.ops.number_formats import channels_last, wide


@dataclass(frozen=True)
class DiscriminatorSettings(PyramidSettings):
    """Settings of `Discriminator`."""

    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    img_resolution: Resolution = 256  # pixels per side, a power of two from 8 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    channel_base: ChannelBase = 32768  # resolution r has min(channel_base / r, channel_max) channels
    channel_max: Width = 512  # most channels of any resolution
    architecture: Form = "resnet"  # form of the network, "resnet", "orig" or "skip": StyleGAN2 Fig. 7
    mbstd_group_size: Width | None = 4  # images per group of the minibatch standard deviation; None for the whole batch
    mbstd_num_channels: Count = 1  # channels that it appends; 0 leaves it out
    mapping_layers: Annotated[int, Whole(0, 100)] = 8  # fully connected layers behind the embedded label
    cmap_dim: Width | None = None  # width of the mapped label; None for the channels at 4x4
    lr_multiplier: Positive = 0.01  # learning rate of the label's layers relative to the rest
    num_fp16_res: Count = 0  # number of highest resolutions that may run in reduced precision
    conv_clamp: Positive | None = None  # limit on the absolute output of convolutions, for float16; None for no limit
    freeze_layers: Count = 0  # number of first layers that are not trained (Freeze-D)
    resample_filter: Taps = (1, 3, 3, 1)  # taps of the low-pass filter that shrinks
    activation: Activation = "lrelu"  # non-linearity of all layers, a name of `ops.bias_act.ACTIVATIONS`

    def __post_init__(self) -> None:
        super().__post_init__()
        size = f"{self.img_resolution}x{self.img_resolution}"
        if self.img_resolution < 8:
            raise ConfigError(f"a discriminator needs images of at least 8x8, got {size}.")


class DiscriminatorBlock(nn.Module):
    """One resolution of the discriminator, in any of the three forms of StyleGAN2 Fig. 7.

    `first_layer` counts the layers of the blocks before, for Freeze-D.
    """

    resample_filter: Tensor

    def __init__(self, resolution: int, settings: DiscriminatorSettings, first_layer: int):
        super().__init__()
        self.architecture, self.low_precision = settings.architecture, settings.is_marked(resolution)
        self.register_buffer("resample_filter", setup_filter(settings.resample_filter))
        self.num_layers = 0

        def conv(in_channels: int, out_channels: int, kernel: int, *, down: int = 1, plain: bool = False):
            trainable = first_layer + self.num_layers >= settings.freeze_layers
            self.num_layers += 1
            return EqualizedConv2d(
                in_channels,
                out_channels,
                kernel,
                bias=not plain,
                activation="linear" if plain else settings.activation,
                down=down,
                resample_filter=settings.resample_filter,
                conv_clamp=None if plain else settings.conv_clamp,
                trainable=trainable,
            )

        channels, out_channels = settings.channels(resolution), settings.channels(resolution // 2)
        if resolution == settings.img_resolution or settings.architecture == "skip":
            self.fromrgb = conv(settings.img_channels, channels, 1)
        self.conv0 = conv(channels, channels, 3)
        self.conv1 = conv(channels, out_channels, 3, down=2)
        if settings.architecture == "resnet":
            self.skip = conv(channels, out_channels, 1, down=2, plain=True)

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

    def __init__(self, settings: DiscriminatorSettings, cmap_dim: int):
        super().__init__()
        self.cmap_dim = cmap_dim
        channels, std_channels, activation = settings.channels(4), settings.mbstd_num_channels, settings.activation
        if settings.architecture == "skip":
            self.fromrgb = EqualizedConv2d(settings.img_channels, channels, 1, activation=activation)
        self.mbstd = MinibatchStd(settings.mbstd_group_size, std_channels) if std_channels > 0 else None
        self.conv = EqualizedConv2d(
            channels + std_channels, channels, 3, activation=activation, conv_clamp=settings.conv_clamp
        )
        self.fc = EqualizedLinear(channels * 4 * 4, channels, activation=activation)
        self.out = EqualizedLinear(channels, cmap_dim or 1)

    def forward(self, x: Tensor | None, img: Tensor | None, cmap: Tensor | None) -> Tensor:
        """x [N, C, 4, 4], img [N, img_channels, 4, 4] or None, cmap [N, cmap_dim] or None -> logits [N, 1]"""
        if img is not None:
            y = self.fromrgb(img)
            x = y if x is None else x + y
        assert x is not None
        x = self.mbstd(x) if self.mbstd is not None else x
        x = self.conv(x)
        x = self.out(self.fc(x.flatten(1)))
        if cmap is not None:
            # Projection of the image's features on the direction of its label. Miyato and Koyama 2018.
            x = (x * cmap).sum(1, keepdim=True) / math.sqrt(self.cmap_dim)
        return x


class Discriminator(FamilyDiscriminator):
    """Discriminator of StyleGAN2: an image, optionally with a label, to a logit that is high where it looks real.

    A logit depends on the other images of its batch, through the minibatch standard deviation; see
    `FamilyDiscriminator`.

    Args: the fields of `DiscriminatorSettings`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = DiscriminatorSettings
    settings: DiscriminatorSettings

    @by_words(DiscriminatorSettings)
    def __init__(self, settings: DiscriminatorSettings):
        super().__init__(settings)
        self.block_resolutions = settings.resolutions[:0:-1]  # down to 8x8
        num_layers = 0
        for r in self.block_resolutions:
            block = DiscriminatorBlock(r, settings, num_layers)
            num_layers += block.num_layers
            setattr(self, f"b{r}", block)
        cmap_dim = 0
        if settings.c_dim > 0:
            cmap_dim = settings.channels(4) if settings.cmap_dim is None else settings.cmap_dim
            self.mapping = MappingNetwork(
                0,
                settings.c_dim,
                cmap_dim,
                None,
                num_layers=settings.mapping_layers,
                lr_multiplier=settings.lr_multiplier,
            )
        self.b4 = DiscriminatorEpilogue(settings, cmap_dim)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """
        Args:
            img: [N, img_channels, R, R] in [-1, 1].
            c: [N, c_dim] labels; None where c_dim is 0.
        Returns: logits [N, 1] float32.
        Raises: ShapeError for an image or label of another shape.
        """
        img, c = self.checked(img, c)
        img_: Tensor | None = channels_last(img)
        x = None
        for r in self.block_resolutions:
            block: DiscriminatorBlock = getattr(self, f"b{r}")
            x, img_ = block(x, img_, block_dtype(block.low_precision, self._precision, img.device, img.dtype))
        cmap = self.mapping(None, c) if self.c_dim > 0 else None
        return self.b4(wide(x) if x is not None else None, img_, cmap)
