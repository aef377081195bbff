"""The generator of StyleGAN2 and StyleGAN2-ADA: Karras et al. 2020a Fig. 2 and 7, Karras et al. 2020b.

The names in the state dict are those of the official PyTorch releases. ws has 2 log2(R) - 2 rows; the toRGB of a
block shares its row with the first convolution of the next.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor, nn

from stylegan.networks.generator import FamilyGenerator, FamilySynthesis, noise_like
from stylegan.networks.layers import SQRT_HALF, EqualizedConv2d, EqualizedLinear, tensor_shapes
from stylegan.networks.mapping import MappingNetwork
from stylegan.networks.precision import block_dtype
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
    WidthOrNothing,
    by_words,
)
from stylegan.networks.sizes import Form, PyramidSettings
from stylegan.networks.stylegan2_discriminator import Discriminator, DiscriminatorSettings
from stylegan.ops import bias_act, modulated_conv2d, setup_filter, upsample2d
from stylegan.ops.bias_act import activation_gain
from stylegan.ops.number_formats import channels_last, wide

__all__ = ["Discriminator", "DiscriminatorSettings", "Generator", "GeneratorSettings"]


@dataclass(frozen=True)
class GeneratorSettings(PyramidSettings):
    """Settings of `Generator`."""

    z_dim: Width = 512  # width of the latent z
    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    w_dim: Width = 512  # width of the intermediate latent w
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    mapping_layers: Depth = 8  # fully connected layers of the mapping network
    channel_base: ChannelBase = 32768  # resolution r has min(channel_base / r, channel_max) channels
    channel_max: Width = 512  # most channels of any resolution
    architecture: Form = "skip"  # form of the network, "skip", "orig" or "resnet": StyleGAN2 Fig. 7
    num_fp16_res: Count = 0  # number of highest resolutions that may run in reduced precision
    conv_clamp: Positive | None = None  # limit on the absolute output of convolutions, for float16; None for no limit
    embed_features: WidthOrNothing | None = None  # width of the embedded label; None for w_dim
    layer_features: Width | None = None  # width of the hidden layers of the mapping network; None for w_dim
    lr_multiplier: Positive = 0.01  # learning rate of the mapping network relative to the rest
    w_avg_beta: Fraction = 0.995  # decay per batch of the running average of w
    resample_filter: Taps = (1, 3, 3, 1)  # taps of the low-pass filter that enlarges
    activation: Activation = "lrelu"  # non-linearity of the synthesis layers, a name of `ops.bias_act.ACTIVATIONS`
    use_noise: bool = True  # add noise behind every convolution


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU. StyleGAN2 Fig. 2(c)."""

    resample_filter: Tensor
    noise_const: Tensor

    extra_repr = tensor_shapes

    def __init__(
        self, in_channels: int, out_channels: int, resolution: int, settings: GeneratorSettings, *, up: int = 1
    ):
        super().__init__()
        self.resolution = resolution
        self.up, self.activation = up, settings.activation
        self.use_noise, self.conv_clamp = settings.use_noise, settings.conv_clamp
        self.act_gain = activation_gain(settings.activation)
        self.affine = EqualizedLinear(settings.w_dim, in_channels, bias_init=1)  # so that styles start near one
        # No run-time scale: demodulation undoes it.
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        if settings.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", setup_filter(settings.resample_filter))
        if settings.use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))

    def forward(self, x: Tensor, w: Tensor, noise_mode: str = "random", gain: float = 1.0) -> Tensor:
        """x [N, I, H, W], w [N, D] -> [N, O, H*up, W*up]"""
        s = self.affine(w)
        # Up-sampling layers are stored for true convolution, all others for correlation.
        x = modulated_conv2d(x, self.weight, s, up=self.up, f=self.resample_filter, flip_weight=self.up == 1)
        if self.use_noise and noise_mode != "none":
            x = x + (noise_like(x, noise_mode, self.noise_const) * self.noise_strength).to(x.dtype)
        clamp = self.conv_clamp * gain if self.conv_clamp is not None else None
        return bias_act(x, self.bias, act=self.activation, gain=self.act_gain * gain, clamp=clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to the image's channels, without demodulation or activation."""

    extra_repr = tensor_shapes

    def __init__(self, in_channels: int, settings: GeneratorSettings):
        super().__init__()
        self.conv_clamp = settings.conv_clamp
        self.affine = EqualizedLinear(settings.w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(settings.img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(settings.img_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, I, H, W], w [N, D] -> [N, img_channels, H, W]"""
        x = modulated_conv2d(x, self.weight, self.affine(w) * self.weight_gain, demodulate=False)
        return bias_act(x, self.bias, clamp=self.conv_clamp)


class SynthesisBlock(nn.Module):
    """One resolution of the generator, in any of the three forms of StyleGAN2 Fig. 7."""

    resample_filter: Tensor

    extra_repr = tensor_shapes

    def __init__(self, resolution: int, settings: GeneratorSettings):
        super().__init__()
        self.resolution, self.architecture = resolution, settings.architecture
        self.low_precision = settings.is_marked(resolution)
        self.is_first, is_last = resolution == 4, resolution == settings.img_resolution
        in_channels = 0 if self.is_first else settings.channels(resolution // 2)
        out_channels = settings.channels(resolution)
        self.register_buffer("resample_filter", setup_filter(settings.resample_filter))
        self.num_conv = 1 if self.is_first else 2
        if self.is_first:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, resolution, settings, up=2)
        self.conv1 = SynthesisLayer(out_channels, out_channels, resolution, settings)
        self.num_torgb = int(is_last or settings.architecture == "skip")
        self.torgb = ToRGB(out_channels, settings) if self.num_torgb else None
        self.skip = None
        if not self.is_first and settings.architecture == "resnet":
            self.skip = EqualizedConv2d(
                in_channels, out_channels, 1, bias=False, up=2, resample_filter=settings.resample_filter
            )

    def forward(
        self, x: Tensor | None, img: Tensor | None, ws: Tensor, noise_mode: str, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor | None]:
        """
        Args:
            x: [N, I, H/2, W/2]; None for the first block.
            img: the image so far, [N, img_channels, H/2, W/2] float32, or None.
            ws: [N, num_conv + num_torgb, D].
            dtype: of the activations.
        Returns: (x [N, O, H, W], img [N, img_channels, H, W] float32 or None)
        """
        w = iter(ws.unbind(1))
        if x is None:
            x = self.const.to(dtype).unsqueeze(0).repeat(ws.shape[0], 1, 1, 1)
            x = self.conv1(channels_last(x), next(w), noise_mode)
        elif self.skip is not None:
            x = x.to(dtype)
            y = self.skip(x, gain=SQRT_HALF)
            x = self.conv0(x, next(w), noise_mode)
            x = y + self.conv1(x, next(w), noise_mode, gain=SQRT_HALF)
        else:
            x = self.conv0(x.to(dtype), next(w), noise_mode)
            x = self.conv1(x, next(w), noise_mode)
        if img is not None:
            img = upsample2d(img, self.resample_filter)
        if self.torgb is not None:
            rgb = wide(self.torgb(x, next(w)))
            img = rgb if img is None else img + rgb
        return x, img


class SynthesisNetwork(FamilySynthesis):
    """g: one w per layer to an image."""

    def __init__(self, settings: GeneratorSettings):
        super().__init__()
        self.w_dim = settings.w_dim
        self.img_resolution, self.img_channels = settings.img_resolution, settings.img_channels
        self.block_resolutions = settings.resolutions
        self.num_ws = 1  # of the last toRGB
        for r in self.block_resolutions:
            block = SynthesisBlock(r, settings)
            self.num_ws += block.num_conv
            setattr(self, f"b{r}", block)

    @property
    def blocks(self) -> list[SynthesisBlock]:
        """The blocks from 4x4 to the full resolution."""
        return [getattr(self, f"b{r}") for r in self.block_resolutions]

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
        x = img = None
        i = 0
        for block in self.blocks:
            dtype = block_dtype(block.low_precision, precision, ws.device, ws.dtype)
            x, img = block(x, img, ws[:, i : i + block.num_conv + block.num_torgb], noise_mode, dtype)
            i += block.num_conv
        assert img is not None  # the last block has a toRGB in every architecture
        return img


class Generator(FamilyGenerator):
    """Generator of StyleGAN2: z, c -> image.

    Args: the fields of `GeneratorSettings`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = GeneratorSettings
    settings: GeneratorSettings
    synthesis: SynthesisNetwork

    @by_words(GeneratorSettings)
    def __init__(self, settings: GeneratorSettings):
        super().__init__(settings)
        self.synthesis = SynthesisNetwork(settings)
        self.mapping = MappingNetwork(
            settings.z_dim,
            settings.c_dim,
            settings.w_dim,
            self.synthesis.num_ws,
            num_layers=settings.mapping_layers,
            embed_features=settings.embed_features,
            layer_features=settings.layer_features,
            lr_multiplier=settings.lr_multiplier,
            w_avg_beta=settings.w_avg_beta,
        )
