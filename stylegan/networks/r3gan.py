"""R3GAN: Huang et al. 2024.

A generator and a discriminator that are mirror images of each other, made of plain residual blocks with grouped
convolutions. They have no normalization, equalized learning rate, mapping network, noise or minibatch standard
deviation.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator, FamilySynthesis
from stylegan.networks.layers import tensor_shapes
from stylegan.networks.mapping import FamilyMapping
from stylegan.networks.precision import block_dtype
from stylegan.networks.settings import (
    ChannelBase,
    Count,
    ImageChannels,
    LabelWidth,
    Resolution,
    Whole,
    Width,
    by_words,
)
from stylegan.networks.sizes import PyramidSettings
from stylegan.ops import bias_act, downsample2d, resample_conv2d, setup_filter, upsample2d
from stylegan.ops.conv2d import conv2d
from stylegan.ops.number_formats import channels_last, wide

__all__ = ["Discriminator", "DiscriminatorSettings", "Generator", "GeneratorSettings"]

LRELU_GAIN = math.sqrt(2 / (1 + 0.2**2))  # keeps the variance through a leaky ReLU: He et al. 2015 Eq. 15
BILINEAR = (1, 2, 1)

BlocksPerStage = Annotated[int, Whole(1, 16)]
Expansion = Annotated[int, Whole(1, 64)]


class StageSettings(PyramidSettings):
    """Base class of the settings of both networks.

    Raises: ConfigError also if groups of `group_size` do not fill the expanded channels of some resolution.
    """

    num_blocks: int
    expansion: int
    group_size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for resolution in self.resolutions:
            expanded = self.channels(resolution) * self.expansion
            if expanded % self.group_size:
                raise ConfigError(
                    f"group_size must divide the {expanded} expanded channels at {resolution}x{resolution}, "
                    f"got {self.group_size}; change it, channel_base or channel_max."
                )

    @property
    def depth(self) -> int:
        """Number of residual blocks of the network."""
        return self.num_blocks * len(self.resolutions)


@dataclass(frozen=True)
class GeneratorSettings(StageSettings):
    """Settings of `Generator`."""

    z_dim: Width = 64  # width of the latent z
    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    embed_dim: Width = 64  # width of the embedded label, which is appended to z
    channel_base: ChannelBase = 24576  # resolution r has min(channel_base / r, channel_max) channels
    channel_max: Width = 768  # most channels of any resolution
    num_blocks: BlocksPerStage = 2  # residual blocks per resolution
    expansion: Expansion = 2  # factor on the channels inside a residual block
    group_size: Width = 16  # channels per group of the 3x3 convolutions
    num_fp16_res: Count = 0  # number of highest resolutions that may run in reduced precision


@dataclass(frozen=True)
class DiscriminatorSettings(StageSettings):
    """Settings of `Discriminator`."""

    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    embed_dim: Width = 64  # width of the embedded label, on which the features of the image are projected
    channel_base: ChannelBase = 24576  # resolution r has min(channel_base / r, channel_max) channels
    channel_max: Width = 768  # most channels of any resolution
    num_blocks: BlocksPerStage = 2  # residual blocks per resolution
    expansion: Expansion = 2  # factor on the channels inside a residual block
    group_size: Width = 16  # channels per group of the 3x3 convolutions
    num_fp16_res: Count = 0  # number of highest resolutions that may run in reduced precision


class Embedding(FamilyMapping):
    """z, followed by the embedded label, in place of a mapping network.

    Truncation is towards z = 0 and keeps the label.

    Args:
        z_dim, c_dim: widths of the latent and the label; 0 for none.
        embed_dim: width of the embedded label.
        num_ws: as in `FamilyMapping`.
        gain: factor on the standard deviation of the initial embedding.
    """

    def __init__(self, z_dim: int, c_dim: int, embed_dim: int, num_ws: int | None, gain: float = 1.0):
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws = z_dim, c_dim, num_ws
        self.w_dim = z_dim + (embed_dim if c_dim > 0 else 0)
        if c_dim > 0:
            self.embed = random_weight(embed_dim, c_dim, gain=gain)

    def w(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        parts = [z, F.linear(c, wide(self.embed)) if c is not None else None]
        return torch.cat([part for part in parts if part is not None], 1)

    def average(self, w: Tensor, update: bool) -> Tensor:
        return F.pad(w[:, self.z_dim :], [self.z_dim, 0])[:, None]


class ResidualBlock(nn.Module):
    """x + an inverted bottleneck with a grouped convolution: 1x1, bias, leaky ReLU, 3x3, bias, leaky ReLU, 1x1.

    The initialization of Fix-up (Zhang et al. 2019) replaces normalization: the last convolution starts at zero, and
    the others are scaled by L^(-1/4) in a network of L blocks.
    """

    extra_repr = tensor_shapes

    def __init__(self, channels: int, settings: StageSettings):
        super().__init__()
        expanded, group = channels * settings.expansion, settings.group_size
        self.groups = expanded // group
        gain = LRELU_GAIN * settings.depth**-0.25
        self.expand = random_weight(expanded, channels, 1, 1, gain=gain)
        self.expand_bias = nn.Parameter(torch.zeros(expanded))
        self.grouped = random_weight(expanded, group, 3, 3, gain=gain)
        self.grouped_bias = nn.Parameter(torch.zeros(expanded))
        self.contract = nn.Parameter(torch.zeros(channels, expanded, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x [N, C, H, W] -> [N, C, H, W] in the dtype of x"""
        expand, grouped, contract = (w.to(x.dtype) for w in (self.expand, self.grouped, self.contract))
        y = bias_act(conv2d(x, expand), self.expand_bias, act="lrelu", gain=1)
        y = conv2d(y, grouped, padding=(1, 1), groups=self.groups)
        y = bias_act(y, self.grouped_bias, act="lrelu", gain=1)
        return x + conv2d(y, contract)


class Transition(nn.Module):
    """Bilinear resampling by 2, up or down, and a 1x1 convolution where the widths differ."""

    resample_filter: Tensor

    extra_repr = tensor_shapes

    def __init__(self, in_channels: int, out_channels: int, *, up: int = 1, down: int = 1):
        super().__init__()
        self.up, self.down = up, down
        self.register_buffer("resample_filter", setup_filter(BILINEAR))
        same = in_channels == out_channels
        self.project = random_weight(out_channels, in_channels, 1, 1) if not same else None

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] -> [N, O, H*up/down, W*up/down] in the dtype of x"""
        f = self.resample_filter
        if self.project is None:
            return upsample2d(x, f, up=self.up) if self.up > 1 else downsample2d(x, f, down=self.down)
        return resample_conv2d(x, self.project.to(x.dtype), f, up=self.up, down=self.down)


class SynthesisStage(nn.Module):
    """One resolution of the generator: a transition, except at 4x4, and residual blocks."""

    def __init__(self, resolution: int, settings: StageSettings):
        super().__init__()
        self.low_precision = settings.is_marked(resolution)
        channels = settings.channels(resolution)
        self.transition = Transition(settings.channels(resolution // 2), channels, up=2) if resolution > 4 else None
        self.blocks = nn.Sequential(*[ResidualBlock(channels, settings) for _ in range(settings.num_blocks)])

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H/2, W/2], or [N, O, 4, 4] -> [N, O, H, W]"""
        x = self.transition(x) if self.transition is not None else x
        return self.blocks(x)


class SynthesisNetwork(FamilySynthesis):
    """ws [N, 1, w_dim] to images."""

    def __init__(self, settings: GeneratorSettings, w_dim: int):
        super().__init__()
        self.w_dim, self.num_ws = w_dim, 1
        self.img_resolution, self.img_channels = settings.img_resolution, settings.img_channels
        channels = settings.channels(4)
        self.basis = nn.Parameter(torch.randn(channels, 4, 4))
        self.linear = random_weight(channels, w_dim)
        self.block_resolutions = settings.resolutions
        for r in self.block_resolutions:
            setattr(self, f"b{r}", SynthesisStage(r, settings))
        self.torgb = random_weight(settings.img_channels, settings.channels(settings.img_resolution), 1, 1)

    @property
    def stages(self) -> list[SynthesisStage]:
        """The stages from 4x4 to the highest resolution."""
        return [getattr(self, f"b{r}") for r in self.block_resolutions]

    def forward(self, ws: Tensor, *, noise_mode: str = "random", force_fp32: bool = False) -> Tensor:
        """
        Args:
            ws: [N, 1, w_dim].
            noise_mode: changes nothing, since there is no noise.
            force_fp32: compute as with the precision fp32.
        Returns: [N, img_channels, R, R] float32, nominally in [-1, 1].
        Raises: ShapeError for another shape, ConfigError for an unknown mode.
        """
        ws, precision = self.checked(ws, noise_mode), "fp32" if force_fp32 else self.precision
        x = channels_last(wide(self.basis) * F.linear(ws[:, 0], wide(self.linear))[:, :, None, None])
        for stage in self.stages:
            x = stage(x.to(block_dtype(stage.low_precision, precision, ws.device, ws.dtype)))
        return wide(conv2d(x, self.torgb.to(x.dtype)))


class Generator(FamilyGenerator):
    """Generator of R3GAN: z, c -> image.

    Args: the fields of `GeneratorSettings`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = GeneratorSettings
    settings: GeneratorSettings
    synthesis: SynthesisNetwork

    @by_words(GeneratorSettings)
    def __init__(self, settings: GeneratorSettings):
        super().__init__(settings)
        self.mapping = Embedding(settings.z_dim, settings.c_dim, settings.embed_dim, num_ws=1)
        self.synthesis = SynthesisNetwork(settings, self.mapping.w_dim)


class DiscriminatorStage(nn.Module):
    """One resolution of the discriminator: residual blocks and, except at 4x4, a transition."""

    def __init__(self, resolution: int, settings: StageSettings):
        super().__init__()
        self.low_precision = settings.is_marked(resolution)
        channels = settings.channels(resolution)
        self.blocks = nn.Sequential(*[ResidualBlock(channels, settings) for _ in range(settings.num_blocks)])
        self.transition = Transition(channels, settings.channels(resolution // 2), down=2) if resolution > 4 else None

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] -> [N, O, H/2, W/2], or [N, I, 4, 4]"""
        x = self.blocks(x)
        return self.transition(x) if self.transition is not None else x


class Discriminator(FamilyDiscriminator):
    """Discriminator of R3GAN: an image, optionally with a label, to a logit that is high where it looks real.

    Args: the fields of `DiscriminatorSettings`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = DiscriminatorSettings
    settings: DiscriminatorSettings

    @by_words(DiscriminatorSettings)
    def __init__(self, settings: DiscriminatorSettings):
        super().__init__(settings)
        conditional, embed_dim, channels = settings.c_dim > 0, settings.embed_dim, settings.channels(4)
        self.fromrgb = random_weight(settings.channels(settings.img_resolution), settings.img_channels, 1, 1)
        self.block_resolutions = settings.resolutions[::-1]
        for r in self.block_resolutions:
            setattr(self, f"b{r}", DiscriminatorStage(r, settings))
        self.depthwise = random_weight(channels, 4, 4)
        self.linear = random_weight(embed_dim if conditional else 1, channels)
        if conditional:
            self.mapping = Embedding(0, settings.c_dim, embed_dim, num_ws=None, gain=embed_dim**-0.5)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """
        Args:
            img: [N, img_channels, R, R] in [-1, 1].
            c: [N, c_dim] labels; None where c_dim is 0.
        Returns: logits [N, 1] float32.
        Raises: ShapeError for an image or label of another shape.
        """
        img, c = self.checked(img, c)
        stages: list[DiscriminatorStage] = [getattr(self, f"b{r}") for r in self.block_resolutions]
        dtypes = [block_dtype(stage.low_precision, self._precision, img.device, img.dtype) for stage in stages]
        x = conv2d(channels_last(img.to(dtypes[0])), self.fromrgb.to(dtypes[0]))
        for stage, dtype in zip(stages, dtypes, strict=True):
            x = stage(x.to(dtype))
        # A convolution of each channel with a kernel as large as the image.
        features = F.linear((wide(x) * wide(self.depthwise)).sum([2, 3]), wide(self.linear))
        if self.c_dim == 0:
            return features
        # Projection of the image's features on its label. Miyato and Koyama 2018.
        return (features * self.mapping(None, c)).sum(1, keepdim=True)


def random_weight(*shape: int, gain: float = 1.0) -> nn.Parameter:
    """Return normal numbers [O, ...] with the standard deviation gain / sqrt(fan-in). He et al. 2015."""
    return nn.Parameter(torch.randn(shape).mul_(gain / math.sqrt(math.prod(shape[1:]))))  # in place: see layers.py
