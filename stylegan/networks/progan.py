"""Progressive GAN: Karras et al. 2018.

A generator that starts from the latent itself, with pixel norm behind every convolution, and a discriminator that
scores images and, with labels, classifies them too. Both grow by `lod`.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.networks.growing import GrowingBlock, GrowingGenerator, GrowingSynthesis
from stylegan.networks.growing_discriminator import GrowingDiscriminator
from stylegan.networks.layers import EqualizedConv2d, tensor_shapes
from stylegan.networks.mapping import FamilyMapping
from stylegan.networks.settings import (
    ChannelBase,
    Count,
    ImageChannels,
    LabelWidth,
    Positive,
    Resolution,
    Width,
    by_words,
)
from stylegan.networks.sizes import PyramidSettings
from stylegan.ops import bias_act, pixel_norm, resample_conv2d, setup_filter
from stylegan.ops.bias_act import activation_gain
from stylegan.ops.number_formats import channels_last, wide

__all__ = ["Discriminator", "DiscriminatorSettings", "Generator", "GeneratorSettings"]

LRELU_GAIN = activation_gain("lrelu")


@dataclass(frozen=True)
class GeneratorSettings(PyramidSettings):
    """Settings of `Generator`."""

    z_dim: Width = 512  # width of the latent z
    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    channel_base: ChannelBase = 16384  # resolution r has min(channel_base / r, channel_max) channels
    channel_max: Width = 512  # most channels of any resolution
    num_fp16_res: Count = 0  # number of highest resolutions that may run in reduced precision
    conv_clamp: Positive | None = None  # limit on the absolute output of convolutions; None for no limit


@dataclass(frozen=True)
class DiscriminatorSettings(PyramidSettings):
    """Settings of `Discriminator`."""

    c_dim: LabelWidth = 0  # width of the label that is predicted; 0 for an unconditional network
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    channel_base: ChannelBase = 16384  # resolution r has min(channel_base / r, channel_max) channels
    channel_max: Width = 512  # most channels of any resolution
    mbstd_group_size: Width | None = 4  # images per group of the minibatch standard deviation; None for the whole batch
    mbstd_num_channels: Count = 1  # channels that it appends; 0 leaves it out
    num_fp16_res: Count = 0  # number of highest resolutions that may run in reduced precision
    conv_clamp: Positive | None = None  # limit on the absolute output of convolutions; None for no limit


class LatentNormalization(FamilyMapping):
    """z, followed by the label, on the unit sphere, in place of a mapping network. Nothing is learned.

    Truncation is towards the middle of the sphere.
    """

    num_ws = 1

    def __init__(self, z_dim: int, c_dim: int):
        super().__init__()
        self.z_dim, self.c_dim = z_dim, c_dim

    def w(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        return pixel_norm(torch.cat([part for part in (z, c) if part is not None], 1))

    def average(self, w: Tensor, update: bool) -> Tensor:
        return w.new_zeros(w.shape[1:])


class SynthesisLayer(nn.Module):
    """[Convolution,] bias, leaky ReLU, pixel norm. ProGAN Table 2.

    Kernels are for correlation: an enlarging layer repeats pixels, then correlates. The first layer, whose convolution
    is the `dense` of its block, has no `in_channels`.
    """

    box: Tensor

    extra_repr = tensor_shapes

    def __init__(
        self, in_channels: int, out_channels: int, resolution: int, settings: GeneratorSettings, *, up: int = 1
    ):
        super().__init__()
        self.resolution = resolution
        self.up, self.conv_clamp = up, settings.conv_clamp
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3)) if in_channels > 0 else None
        self.weight_gain = LRELU_GAIN / math.sqrt(max(in_channels, 1) * 9)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("box", setup_filter([1, 1]))  # repeating pixels is filtering zero-stuffed images with it

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] -> [N, O, H*up, W*up]"""
        if self.weight is not None:
            weight = (wide(self.weight) * self.weight_gain).to(x.dtype)
            x = resample_conv2d(x, weight, self.box if self.up > 1 else None, up=self.up, padding=1)
        return pixel_norm(bias_act(x, self.bias, act="lrelu", gain=1, clamp=self.conv_clamp))


class SynthesisBlock(GrowingBlock):
    """One resolution: two layers and toRGB. The first block starts from the latent. ProGAN Table 2."""

    def __init__(self, resolution: int, settings: GeneratorSettings):
        super().__init__()
        self.low_precision, self.is_first = settings.is_marked(resolution), resolution == 4
        in_channels = 0 if self.is_first else settings.channels(resolution // 2)
        out_channels = settings.channels(resolution)
        if self.is_first:
            w_dim = settings.z_dim + settings.c_dim
            self.dense = nn.Parameter(torch.randn(out_channels * 16, w_dim))
            self.dense_gain = LRELU_GAIN / (4 * math.sqrt(w_dim))
        self.layer0 = SynthesisLayer(in_channels, out_channels, resolution, settings, up=1 if self.is_first else 2)
        self.layer1 = SynthesisLayer(out_channels, out_channels, resolution, settings)
        self.torgb = EqualizedConv2d(out_channels, settings.img_channels, 1, resample_filter=(1,))

    def forward(self, x: Tensor | None, w0: Tensor, w1: Tensor, noise_mode: str, dtype: torch.dtype) -> Tensor:
        """See `GrowingBlock`. Only the first block reads w0, and there is no noise."""
        if x is None:
            x = F.linear(w0, wide(self.dense) * self.dense_gain).unflatten(1, [-1, 4, 4])
            x = channels_last(x.to(dtype))
        return self.layer1(self.layer0(x.to(dtype)))


class Generator(GrowingGenerator):
    """Generator of ProGAN: z, c -> image.

    Args: the fields of `GeneratorSettings`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = GeneratorSettings
    settings: GeneratorSettings

    @by_words(GeneratorSettings)
    def __init__(self, settings: GeneratorSettings):
        super().__init__(settings)
        self.mapping = LatentNormalization(settings.z_dim, settings.c_dim)
        w_dim = settings.z_dim + settings.c_dim
        self.synthesis = GrowingSynthesis(settings, w_dim, 1, partial(SynthesisBlock, settings=settings))


class Discriminator(GrowingDiscriminator):
    """Discriminator of ProGAN: an image to a score, high where it looks real, and a logit for each label.

    A logit depends on the other images of its batch, through the minibatch standard deviation; see
    `FamilyDiscriminator`.

    Args: the fields of `DiscriminatorSettings`.
    Attributes:
        lod: as in `Generator`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = DiscriminatorSettings
    settings: DiscriminatorSettings
    needs_label = False

    @by_words(DiscriminatorSettings)
    def __init__(self, settings: DiscriminatorSettings):
        super().__init__(settings, num_outputs=1 + settings.c_dim, blur_filter=None)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """img [N, img_channels, R, R] in [-1, 1] -> scores [N, 1] float32. The label changes nothing: it is predicted.

        Raises: ShapeError for an image of another shape, or a label given to an unconditional network.
        """
        img, _ = self.checked(img, c)
        return self.outputs(img)[:, :1]

    def score_and_labels(self, img: Tensor) -> tuple[Tensor, Tensor]:
        """img [N, img_channels, R, R] -> scores [N, 1], logits of the labels [N, c_dim], both float32."""
        img, _ = self.checked(img, None)
        outputs = self.outputs(img)
        return outputs[:, :1], outputs[:, 1:]
