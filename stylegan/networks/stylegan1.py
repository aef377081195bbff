"""StyleGAN: Karras et al. 2019.

The style-based generator with its constant input, noise and adaptive instance normalization, Fig. 1(b), and the
discriminator of ProGAN with a blur. ws has 2 log2(R) - 2 rows, two for each resolution.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.networks.generator import noise_like
from stylegan.networks.growing import GrowingBlock, GrowingGenerator, GrowingSynthesis
from stylegan.networks.growing_discriminator import GrowingDiscriminator
from stylegan.networks.layers import EqualizedConv2d, EqualizedLinear, tensor_shapes
from stylegan.networks.mapping import MappingNetwork
from stylegan.networks.settings import (
    Activation,
    ChannelBase,
    Count,
    Depth,
    Fraction,
    ImageChannels,
    LabelWidth,
    Positive,
    Resolution,
    Taps,
    Width,
    by_words,
)
from stylegan.networks.sizes import PyramidSettings
from stylegan.ops import bias_act, filter2d, instance_norm, pixel_norm, resample_conv2d, setup_filter
from stylegan.ops.bias_act import activation_gain
from stylegan.ops.number_formats import channels_last, wide

__all__ = ["Discriminator", "DiscriminatorSettings", "Generator", "GeneratorSettings"]


@dataclass(frozen=True)
class GeneratorSettings(PyramidSettings):
    """Settings of `Generator`. The switches from `use_styles` on are what the paper ablates in Table 1."""

    z_dim: Width = 512  # width of the latent z
    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    w_dim: Width = 512  # width of the intermediate latent w
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    mapping_layers: Depth = 8  # fully connected layers of the mapping network
    channel_base: ChannelBase = 16384  # resolution r has min(channel_base / r, channel_max) channels
    channel_max: Width = 512  # most channels of any resolution
    num_fp16_res: Count = 0  # number of highest resolutions that may run in reduced precision
    conv_clamp: Positive | None = None  # limit on the absolute output of convolutions; None for no limit
    layer_features: Width | None = None  # width of the hidden layers of the mapping network; None for w_dim
    lr_multiplier: Positive = 0.01  # learning rate of the mapping network relative to the rest
    w_avg_beta: Fraction = 0.995  # decay per batch of the running average of w
    use_styles: bool = True  # scale and shift the output of every layer by w
    use_noise: bool = True  # add noise behind every convolution
    use_pixel_norm: bool = False  # normalize the feature vector of every pixel, as ProGAN does
    use_instance_norm: bool = True  # normalize every feature map; with styles, this is AdaIN
    const_input: bool = True  # start from a learned constant; otherwise from w, as ProGAN does from z
    blur_filter: Taps | None = (1, 2, 1)  # taps behind the convolution of enlarging layers; None for no blur
    activation: Activation = "lrelu"  # non-linearity of mapping and synthesis, a name of `ops.bias_act.ACTIVATIONS`


@dataclass(frozen=True)
class DiscriminatorSettings(PyramidSettings):
    """Settings of `Discriminator`."""

    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    channel_base: ChannelBase = 16384  # resolution r has min(channel_base / r, channel_max) channels
    channel_max: Width = 512  # most channels of any resolution
    mbstd_group_size: Width | None = 4  # images per group of the minibatch standard deviation; None for the whole batch
    mbstd_num_channels: Count = 1  # channels that it appends; 0 leaves it out
    num_fp16_res: Count = 0  # number of highest resolutions that may run in reduced precision
    conv_clamp: Positive | None = None  # limit on the absolute output of convolutions; None for no limit
    blur_filter: Taps | None = (1, 2, 1)  # taps before each convolution that halves the size; None for no blur


class Mapping(MappingNetwork):
    """f: Z -> W of StyleGAN: a label is embedded by a matrix and normalized together with z."""

    def __init__(self, settings: GeneratorSettings, num_ws: int):
        super().__init__(
            settings.z_dim,
            settings.c_dim,
            settings.w_dim,
            num_ws,
            num_layers=settings.mapping_layers,
            embed_features=settings.z_dim,
            layer_features=settings.layer_features,
            activation=settings.activation,
            lr_multiplier=settings.lr_multiplier,
            w_avg_beta=settings.w_avg_beta,
            gain_in_weight=True,
        )
        self.embed: nn.Linear
        if settings.c_dim > 0:
            self.embed = nn.Linear(settings.c_dim, settings.z_dim, bias=False)
            nn.init.normal_(self.embed.weight)

    def join(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        embedded = F.linear(c, wide(self.embed.weight)) if c is not None else None
        return pixel_norm(torch.cat([part for part in (z, embedded) if part is not None], 1))


class SynthesisLayer(nn.Module):
    """[Convolution, blur,] noise, bias, leaky ReLU, normalization, style. StyleGAN Fig. 1(b).

    Kernels are for correlation: an enlarging layer repeats pixels, then correlates. The layer behind the learned
    constant has no `in_channels` and no convolution.
    """

    noise_const: Tensor
    box: Tensor
    blur: Tensor | None

    extra_repr = tensor_shapes

    def __init__(
        self, in_channels: int, out_channels: int, resolution: int, settings: GeneratorSettings, *, up: int = 1
    ):
        super().__init__()
        self.resolution = resolution
        self.settings, self.up = settings, up
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3)) if in_channels > 0 else None
        self.weight_gain = activation_gain(settings.activation) / math.sqrt(max(in_channels, 1) * 9)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        if settings.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros(out_channels))
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
        if settings.use_styles:
            self.affine = EqualizedLinear(settings.w_dim, 2 * out_channels)  # scales less one, then shifts
        self.register_buffer("box", setup_filter([1, 1]))  # repeating pixels is filtering zero-stuffed images with it
        blurs = up > 1 and settings.blur_filter is not None
        self.register_buffer("blur", setup_filter(settings.blur_filter) if blurs else None)

    def forward(self, x: Tensor, w: Tensor, noise_mode: str = "random") -> Tensor:
        """x [N, I, H, W], w [N, D] -> [N, O, H*up, W*up]"""
        if self.weight is not None:
            weight = (wide(self.weight) * self.weight_gain).to(x.dtype)
            x = resample_conv2d(x, weight, self.box if self.up > 1 else None, up=self.up, padding=1)
            x = filter2d(x, self.blur) if self.blur is not None else x
        if self.settings.use_noise and noise_mode != "none":
            noise = noise_like(x, noise_mode, self.noise_const).to(x.dtype)
            x = torch.addcmul(x, noise, self.noise_strength[:, None, None].to(x.dtype))
        x = bias_act(x, self.bias, act=self.settings.activation, gain=1, clamp=self.settings.conv_clamp)
        x = pixel_norm(x) if self.settings.use_pixel_norm else x
        style = self.style(w) if self.settings.use_styles else ()
        if self.settings.use_instance_norm:
            return instance_norm(x, *style)
        if style:
            scale, shift = (s[:, :, None, None].to(x.dtype) for s in style)
            x = torch.addcmul(shift, x, scale)
        return x

    def style(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """w [N, D] -> scale and shift [N, O], near 1 and 0."""
        scale, shift = self.affine(w).chunk(2, 1)
        return scale + 1, shift


class SynthesisBlock(GrowingBlock):
    """One resolution: two layers and toRGB. The first block starts from a constant, or from w. StyleGAN Fig. 1(b)."""

    def __init__(self, resolution: int, settings: GeneratorSettings):
        super().__init__()
        self.low_precision, self.is_first = settings.is_marked(resolution), resolution == 4
        in_channels = 0 if self.is_first else settings.channels(resolution // 2)
        out_channels = settings.channels(resolution)
        self.const_input = settings.const_input
        if self.is_first and settings.const_input:
            self.const = nn.Parameter(torch.ones(out_channels, 4, 4))
        elif self.is_first:
            self.dense = nn.Parameter(torch.randn(out_channels * 16, settings.w_dim))
            self.dense_gain = activation_gain(settings.activation) / (4 * math.sqrt(settings.w_dim))
        self.layer0 = SynthesisLayer(in_channels, out_channels, resolution, settings, up=1 if self.is_first else 2)
        self.layer1 = SynthesisLayer(out_channels, out_channels, resolution, settings)
        self.torgb = EqualizedConv2d(out_channels, settings.img_channels, 1, resample_filter=(1,))

    def forward(self, x: Tensor | None, w0: Tensor, w1: Tensor, noise_mode: str, dtype: torch.dtype) -> Tensor:
        if x is None:
            if self.const_input:
                x = self.const.expand(len(w0), -1, -1, -1)
            else:
                x = F.linear(w0, wide(self.dense) * self.dense_gain).unflatten(1, [-1, 4, 4])
            x = channels_last(x.to(dtype))
        return self.layer1(self.layer0(x.to(dtype), w0, noise_mode), w1, noise_mode)


class Generator(GrowingGenerator):
    """Generator of StyleGAN: z, c -> image.

    Args: the fields of `GeneratorSettings`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = GeneratorSettings
    settings: GeneratorSettings

    @by_words(GeneratorSettings)
    def __init__(self, settings: GeneratorSettings):
        super().__init__(settings)
        num_ws = 2 * len(settings.resolutions)
        block = partial(SynthesisBlock, settings=settings)
        self.synthesis = GrowingSynthesis(settings, settings.w_dim, num_ws, block)
        self.mapping = Mapping(settings, num_ws)


class Discriminator(GrowingDiscriminator):
    """Discriminator of StyleGAN: an image, optionally with a label, to a logit that is high where it looks real.

    With labels there is one logit for each class, and the label selects among them.

    A logit depends on the other images of its batch, through the minibatch standard deviation; see
    `FamilyDiscriminator`.

    Args: the fields of `DiscriminatorSettings`.
    Attributes:
        lod: as in `Generator`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = DiscriminatorSettings
    settings: DiscriminatorSettings

    @by_words(DiscriminatorSettings)
    def __init__(self, settings: DiscriminatorSettings):
        super().__init__(settings, num_outputs=max(settings.c_dim, 1), blur_filter=settings.blur_filter)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """
        Args:
            img: [N, img_channels, R, R] in [-1, 1].
            c: [N, c_dim] labels; None where c_dim is 0.
        Returns: logits [N, 1] float32.
        Raises: ShapeError for an image or label of another shape.
        """
        img, c = self.checked(img, c)
        logits = self.outputs(img)
        return (logits * c).sum(1, keepdim=True) if c is not None else logits
