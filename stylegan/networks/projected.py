"""The projected discriminator: Sauer et al. 2021, "Projected GANs Converge Faster".

It sees an image through a trained network that stays as it is: frozen random layers mix the features of four scales
across channels and scales, and a small trained head scores each scale at several places.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from stylegan.errors import ConfigError
from stylegan.networks.discriminator import FamilyDiscriminator, FeatureWeights
from stylegan.networks.efficientnet_lite import SIZES, EfficientNetLite, load_efficientnet_lite, package
from stylegan.networks.layers import tensor_shapes
from stylegan.networks.precision import block_dtype
from stylegan.networks.pretrained import as_constants
from stylegan.networks.settings import ImageChannels, LabelWidth, Resolution, Settings, Whole, Width, by_words
from stylegan.ops.conv2d import conv2d
from stylegan.ops.number_formats import channels_last, wide

DEEPEST_STRIDE = 32  # of the four scales 4, 8, 16 and 32
SMALLEST_INPUT = 128  # pixels per side at which the deepest head still has a logit
LABEL_MAPS = 64  # maps of a head with labels, on which it projects the embedded label

InputResolution = Annotated[int, Whole(1, 8192)]
HeadStages = Annotated[int, Whole(1, 4)]


@dataclass(frozen=True)
class DiscriminatorSettings(Settings):
    """Settings of `Discriminator`.

    Raises: ConfigError also for images that are neither gray nor RGB, and for an input that is too small.
    """

    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color
    _: KW_ONLY
    input_resolution: InputResolution = 224  # smaller images are enlarged to this, a multiple of 32 from 128 on
    mixing_channels: Width = 64  # channels of the features of stride 4 after mixing; twice as many at each deeper scale
    head_channels: Width = 64  # channels of the heads at 64x64 (of 256x256 images) and above; they double below
    head_stages: HeadStages = 4  # halvings by the head of stride 4; each deeper head has one less, but at least one

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.img_channels not in (1, 3):
            raise ConfigError(
                f"a projected discriminator sees gray or RGB images, got {self.img_channels} channels; "
                "train with the generation's own discriminator, or convert the images."
            )
        if self.input_resolution < SMALLEST_INPUT or self.input_resolution % DEEPEST_STRIDE:
            raise ConfigError(
                f"input_resolution must be a multiple of {DEEPEST_STRIDE} from {SMALLEST_INPUT} on, so that the "
                f"deepest features are large enough to be scored, got {self.input_resolution}."
            )

    @property
    def side(self) -> int:
        """Pixels per side of the images that the trained network sees."""
        return max(self.img_resolution, self.input_resolution)

    def head_widths(self, scale: int) -> list[int]:
        """Channels after each halving by the head of `scale`, 0 for stride 4 to 3 for stride 32.

        They are those of a 256x256 image, whose mixed features have 128 >> scale pixels per side.
        """
        sides = [128 >> scale + stage + 1 for stage in range(max(self.head_stages - scale, 1))]
        return [self.head_channels * max(64 // side, 1) for side in sides]


class FeatureMixing(nn.Module):
    """Mixes features across channels and then across scales, by frozen random 1x1 convolutions. Sec. 3.2.

    Both keep all information that matters to the heads, but spread it over channels and scales, so that the
    discriminator cannot rely on a part of the features.

    Args:
        in_channels: channels of the features, those of the largest map first.
        channels: of the largest map after the mixing across channels; twice as many at each deeper scale.
    """

    def __init__(self, in_channels: Sequence[int], channels: int):
        super().__init__()
        self.scales = len(in_channels)
        mixed = [channels * 2**scale for scale in range(self.scales)]
        self.out_channels = [channels, *mixed[:-1]]
        for scale in range(self.scales):
            self.register_buffer(f"across_channels{scale}", _kaiming(mixed[scale], in_channels[scale]))
            self.register_buffer(f"across_scales{scale}", _kaiming(self.out_channels[scale], mixed[scale]))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Mix maps [N, in_channels, H, W], each half as large as the one before -> [N, out_channels, 2H, 2W]."""
        mixed: list[Tensor] = []
        for scale in reversed(range(self.scales)):
            x = F.conv2d(features[scale], self.get_buffer(f"across_channels{scale}"))
            x = x + mixed[-1] if mixed else x
            # The paper enlarges first, which gives the same values at four times the cost.
            x = F.conv2d(x, self.get_buffer(f"across_scales{scale}"))
            mixed.append(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True))
        return mixed[::-1]


class Head(nn.Module):
    """Scores the features of one scale: halvings by 4x4 convolutions with spectral norm, and a last one to logits.

    Batches are normalized by their own statistics in every mode, so a logit depends on the other images of its batch.

    Args:
        in_channels: channels of the features.
        widths: channels after each halving.
        c_dim: width of the label; 0 for none.
    """

    extra_repr = tensor_shapes

    def __init__(self, in_channels: int, widths: Sequence[int], c_dim: int):
        super().__init__()
        layers: list[nn.Module] = []
        for width in widths:
            norm = nn.BatchNorm2d(width, track_running_stats=False)
            layers += [spectral_norm(_Conv4x4(in_channels, width, halve=True)), norm, nn.LeakyReLU(0.2)]
            in_channels = width
        self.stages = nn.Sequential(*layers)
        self.score = spectral_norm(_Conv4x4(in_channels, LABEL_MAPS if c_dim > 0 else 1, halve=False))
        self.embed = nn.Parameter(torch.randn(LABEL_MAPS, c_dim)) if c_dim > 0 else None

    def forward(self, x: Tensor, c: Tensor | None) -> Tensor:
        """x [N, in_channels, H, W], c [N, c_dim] or None -> logits [N, (H / 2^stages - 3) * (W / 2^stages - 3)]"""
        maps = wide(self.score(self.stages(x)))
        if self.embed is not None and c is not None:
            # Projection of the image's features on the direction of its label. Miyato and Koyama 2018.
            direction = F.linear(c.to(maps), self.embed.to(maps))
            maps = (maps * direction[:, :, None, None]).sum(1) / math.sqrt(LABEL_MAPS)
        return maps.flatten(1)


class Discriminator(FamilyDiscriminator):
    """Projected discriminator: an image, optionally with a label, to logits that are high where it looks real.

    The trained network and the mixing compute in float32 in every precision, the heads in that of training. The weights
    of the trained network are not part of the state dict; those of the random layers are.

    Args: the fields of `DiscriminatorSettings`.
    Raises: ConfigError for settings of another type or out of bounds; MissingExtra without the package that holds the
        trained weights; CheckpointError if they are not the expected ones.
    """

    Settings = DiscriminatorSettings
    settings: DiscriminatorSettings
    kind = "projected"
    feature_network = "efflite0"
    feature_weights = FeatureWeights(package(0), SIZES[0].sha256)

    @by_words(DiscriminatorSettings)
    def __init__(self, settings: DiscriminatorSettings):
        super().__init__(settings)
        self.trunk = copy.deepcopy(_trunk())
        self.mixing = FeatureMixing(self.trunk.pyramid_channels, settings.mixing_channels)
        self.heads = nn.ModuleList(
            Head(channels, settings.head_widths(scale), settings.c_dim)
            for scale, channels in enumerate(self.mixing.out_channels)
        )

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """
        Args:
            img: [N, img_channels, R, R] in [-1, 1].
            c: [N, c_dim] labels; None where c_dim is 0.
        Returns: logits [N, L] float32, those of all places of all scales.
        Raises: ShapeError for an image or label of another shape.
        """
        x, c = self.checked(img, c)
        if (side := self.settings.side) > self.img_resolution:
            x = F.interpolate(x, (side, side), mode="bilinear")
        x = channels_last(x.expand(-1, 3, -1, -1))
        dtype = block_dtype(True, self._precision, x.device, x.dtype)
        mixed = self.mixing(self.trunk.pyramid(x))
        return torch.cat([head(y.to(dtype), c) for head, y in zip(self.heads, mixed, strict=True)], 1)


class _Conv4x4(nn.Conv2d):
    """A convolution in the dtype of its input, with derivatives of any order: to half the size, or without padding."""

    def __init__(self, in_channels: int, out_channels: int, *, halve: bool):
        super().__init__(in_channels, out_channels, 4, bias=False)
        self._stride, self._padding = (2, 1) if halve else (1, 0)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight.to(x.dtype), stride=self._stride, padding=(self._padding, self._padding))


def _kaiming(out_channels: int, in_channels: int) -> Tensor:
    """Return normal numbers [O, I, 1, 1] with the standard deviation sqrt(2 / I). He et al. 2015."""
    return torch.randn(out_channels, in_channels, 1, 1) * math.sqrt(2 / in_channels)


@cache
def _trunk() -> EfficientNetLite:
    """Load the trained network once, without the layers behind its last feature maps."""
    with torch.device("cpu"):  # also where the caller builds on another device
        trunk: EfficientNetLite = load_efficientnet_lite(0)
    del trunk._conv_head, trunk._bn1, trunk._fc
    as_constants(trunk)
    return trunk
