"""The alias-free generators StyleGAN3-T and StyleGAN3-R: Karras et al. 2021.

-R is `conv_kernel=1, use_radial_filters=True` and twice the `channel_base` and `channel_max` of -T. The names in the
state dict are those of the official PyTorch releases. ws has a row for the input and one for every layer.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, replace
from typing import Annotated

import torch
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.networks.generator import FamilyGenerator, FamilySynthesis
from stylegan.networks.layers import EqualizedLinear, tensor_shapes
from stylegan.networks.mapping import MappingNetwork
from stylegan.networks.precision import block_dtype
from stylegan.networks.settings import (
    Between,
    ChannelBase,
    Count,
    Depth,
    Fraction,
    ImageChannels,
    LabelWidth,
    Positive,
    PowerOfTwo,
    Settings,
    Whole,
    Width,
    WidthOrNothing,
    by_words,
)
from stylegan.networks.stylegan2_discriminator import Discriminator, DiscriminatorSettings
from stylegan.networks.stylegan3_schedule import Signal, schedule
from stylegan.ops import bias_act, filtered_lrelu, lowpass, modulated_conv2d, radial_lowpass
from stylegan.ops.number_formats import wide

__all__ = ["Discriminator", "DiscriminatorSettings", "Generator", "GeneratorSettings"]


@dataclass(frozen=True)
class GeneratorSettings(Settings):
    """Settings of `Generator`. Frequencies are in cycles per width of the image."""

    z_dim: Width = 512  # width of the latent z
    c_dim: LabelWidth = 0  # width of the label c; 0 for an unconditional network
    w_dim: Width = 512  # width of the intermediate latent w
    img_resolution: Annotated[int, PowerOfTwo(16, 8192)] = 256  # pixels per side, a power of two from 16 on
    img_channels: ImageChannels = 3  # 1 gray, 3 color, 4 with alpha
    _: KW_ONLY
    mapping_layers: Depth = 2  # fully connected layers of the mapping network
    num_layers: Depth = 14  # synthesis layers between the input and toRGB, at every resolution
    num_critical: Depth = 2  # number of last layers that are critically sampled, fewer than num_layers
    first_cutoff: Annotated[float, Between(0.5, 4096)] = 2.0  # cutoff frequency of the first layer
    first_stopband: Annotated[float, Between(0.5, 8192)] = 2**2.1  # its stop band, above first_cutoff
    last_stopband_rel: Annotated[float, Between(1.01, 4)] = 2**0.3  # stop band of the last layer over its cutoff R/2
    margin_size: Annotated[int, Whole(0, 1024)] = 10  # samples around the image in all layers but the last
    output_scale: Positive = 0.25  # factor on the output of toRGB, which has unit magnitude
    channel_base: ChannelBase = 32768  # a layer has min(channel_base / 2 / cutoff, channel_max) channels
    channel_max: Width = 512  # most channels of any layer
    conv_kernel: Annotated[int, Whole(1, 31)] = 3  # side of the kernels, odd; 1 for equivariance to rotation
    use_radial_filters: bool = False  # shrink by radially symmetric filters, for equivariance to rotation
    filter_size: Annotated[int, Whole(1, 16)] = 6  # taps of a filter per factor by which the sampling rate changes
    lrelu_upsampling: Annotated[int, Whole(1, 8)] = 2  # sampling rate of the leaky ReLU over that of its layer
    conv_clamp: Positive | None = 256.0  # limit on absolute activations, for float16; None for no limit
    magnitude_ema_beta: Fraction = 0.999  # decay per batch of the running mean of squared inputs of each layer
    num_fp16_res: Count = 4  # number of highest resolutions that may run in reduced precision
    embed_features: WidthOrNothing | None = None  # width of the embedded label; None for w_dim
    layer_features: Width | None = None  # width of the hidden layers of the mapping network; None for w_dim
    lr_multiplier: Positive = 0.01  # learning rate of the mapping network relative to the rest
    w_avg_beta: Fraction = 0.998  # decay per batch of the running average of w

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.conv_kernel % 2 == 0:
            raise ConfigError(f"conv_kernel must be odd, got {self.conv_kernel}.")
        if self.first_stopband <= self.first_cutoff:
            raise ConfigError(
                f"first_stopband must be above first_cutoff, got {self.first_stopband:g} and {self.first_cutoff:g}."
            )
        last_cutoff = self.img_resolution / 2
        if self.first_cutoff > last_cutoff or self.first_stopband > last_cutoff * self.last_stopband_rel:
            raise ConfigError(
                f"first_cutoff and first_stopband must be at most those of the last layer, {last_cutoff:g} and "
                f"{last_cutoff * self.last_stopband_rel:g}, got {self.first_cutoff:g} and {self.first_stopband:g}."
            )
        schedule(self)


class SynthesisInput(nn.Module):
    """Fourier features on an infinite plane, moved by w and by the user. StyleGAN3 Sec. 3.2 and App. F.

    Attributes:
        transform: [3, 3] from image to feature coordinates, in widths of the image: the inverse of what happens
            to the image. It may be set freely and is not learned.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    extra_repr = tensor_shapes

    def __init__(self, w_dim: int, signal: Signal):
        super().__init__()
        self.size, self.rate, self.bandwidth = signal.size, signal.rate, signal.cutoff
        freqs = torch.randn(signal.channels, 2)
        radii = freqs.norm(dim=1, keepdim=True)
        freqs = freqs / (radii * radii.square().exp() ** 0.25)  # uniform on the unit disc
        self.weight = nn.Parameter(torch.randn(signal.channels, signal.channels))
        self.affine = EqualizedLinear(w_dim, 4)
        with torch.no_grad():  # no motion at the start, whatever w
            self.affine.weight.zero_()
            self.affine.bias[0] = 1
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", freqs * self.bandwidth)
        self.register_buffer("phases", torch.rand(signal.channels) - 0.5)

    def forward(self, w: Tensor) -> Tensor:
        """w [N, D] -> [N, C, size, size], in the dtype of w"""
        motion = self.motion(w) @ self.transform
        freqs, shift = self.freqs @ motion[:, :2, :2], self.freqs @ motion[:, :2, 2:]  # [N, C, 2], [N, C, 1]
        phases = self.phases[:, None] + shift
        # Fade out the waves whose frequency, after the motion, exceeds what the sampling rate can represent.
        excess = (freqs.norm(dim=2) - self.bandwidth) / (self.rate / 2 - self.bandwidth)
        amplitudes = (1 - excess).clamp(0, 1)
        positions = (torch.arange(self.size, device=w.device, dtype=w.dtype) + 0.5 - self.size / 2) / self.rate
        along_x = positions[:, None] * freqs[:, None, None, :, 0] + phases[:, None, None, :, 0]  # [N, 1, W, C]
        along_y = positions[:, None, None] * freqs[:, None, None, :, 1]  # [N, H, 1, C]
        waves = (2 * math.pi * (along_x + along_y)).sin() * amplitudes[:, None, None]
        return (waves @ (wide(self.weight).t() / math.sqrt(len(self.weight)))).permute(0, 3, 1, 2)

    def motion(self, w: Tensor) -> Tensor:
        """Return the learned rotation and translation, w [N, D] -> [N, 3, 3]."""
        t = self.affine(w)
        cos, sin, x, y = (t / t[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        rotation = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], 1).reshape(-1, 3, 3)
        translation = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], 1).reshape(-1, 3, 3)
        return rotation @ translation


class SynthesisLayer(nn.Module):
    """Modulated convolution and filtered leaky ReLU, StyleGAN3 Fig. 4(b)."""

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    extra_repr = tensor_shapes

    def __init__(self, before: Signal, after: Signal, settings: GeneratorSettings):
        super().__init__()
        self.conv_clamp, self.magnitude_ema_beta = settings.conv_clamp, settings.magnitude_ema_beta
        self.low_precision = after.rate * 2**settings.num_fp16_res > settings.img_resolution
        kernel = settings.conv_kernel
        high_rate = max(before.rate, after.rate) * settings.lrelu_upsampling
        self.up, self.down = high_rate // before.rate, high_rate // after.rate
        up_taps, down_taps = (settings.filter_size * factor if factor > 1 else 1 for factor in (self.up, self.down))
        self.padding = _padding(before.size + kernel - 1, after.size, self.up, self.down, up_taps + down_taps)
        self.affine = EqualizedLinear(settings.w_dim, before.channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(after.channels, before.channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after.channels))
        self.register_buffer("magnitude_ema", torch.ones([]))
        up_filter = lowpass(up_taps, before.cutoff, 2 * before.half_width, high_rate) if self.up > 1 else None
        down_design = radial_lowpass if settings.use_radial_filters and not after.critical else lowpass
        down_filter = down_design(down_taps, after.cutoff, 2 * after.half_width, high_rate) if self.down > 1 else None
        self.register_buffer("up_filter", up_filter)
        self.register_buffer("down_filter", down_filter)

    def forward(self, x: Tensor, w: Tensor, dtype: torch.dtype, update_emas: bool) -> Tensor:
        """x [N, I, size before, size before], w [N, D] -> [N, O, size after, size after] of `dtype`"""
        input_gain = self.input_gain(x, update_emas)
        padding = self.weight.shape[-1] - 1
        x = modulated_conv2d(x.to(dtype), self.weight, self.affine(w), padding=padding, input_gain=input_gain)
        return filtered_lrelu(
            x,
            self.up_filter,
            self.down_filter,
            self.bias,
            up=self.up,
            down=self.down,
            pad=self.padding,
            clamp=self.conv_clamp,
        )

    def input_gain(self, x: Tensor, update_emas: bool) -> Tensor:
        """Return the factor that brings inputs to unit magnitude on average. StyleGAN3 Sec. 3.2."""
        if update_emas:
            new = wide(x.detach()).square().mean().lerp(self.magnitude_ema, self.magnitude_ema_beta)
            self.magnitude_ema.copy_(new.where(new.isfinite(), self.magnitude_ema))  # a NaN would stay for good
        return self.magnitude_ema.rsqrt()


class ToRGB(SynthesisLayer):
    """Modulated 1x1 convolution to the image's channels, without demodulation, activation or filters."""

    def __init__(self, before: Signal, after: Signal, settings: GeneratorSettings):
        super().__init__(before, after, replace(settings, conv_kernel=1, lrelu_upsampling=1))
        self.weight_gain = 1 / math.sqrt(before.channels)

    def forward(self, x: Tensor, w: Tensor, dtype: torch.dtype, update_emas: bool) -> Tensor:
        """x [N, I, R, R], w [N, D] -> [N, img_channels, R, R] of `dtype`"""
        input_gain = self.input_gain(x, update_emas)
        s = self.affine(w) * self.weight_gain
        x = modulated_conv2d(x.to(dtype), self.weight, s, demodulate=False, input_gain=input_gain)
        return bias_act(x, self.bias, clamp=self.conv_clamp)


class SynthesisNetwork(FamilySynthesis):
    """g: one w for the input and each layer to an image."""

    def __init__(self, settings: GeneratorSettings):
        super().__init__()
        signals = schedule(settings)
        self.w_dim, self.num_ws = settings.w_dim, len(signals) + 1
        self.img_resolution, self.img_channels = settings.img_resolution, settings.img_channels
        self.output_scale = settings.output_scale
        self.input = SynthesisInput(settings.w_dim, signals[0])
        self.layer_names = []
        for i, (before, after) in enumerate(zip([signals[0], *signals], signals, strict=False)):
            layer_class = SynthesisLayer if after is not signals[-1] else ToRGB
            self.layer_names.append(f"L{i}_{after.size}_{after.channels}")
            setattr(self, self.layer_names[-1], layer_class(before, after, settings))

    @property
    def layers(self) -> list[SynthesisLayer]:
        """The layers from the input on, and toRGB."""
        return [getattr(self, name) for name in self.layer_names]

    def forward(
        self, ws: Tensor, *, noise_mode: str = "random", force_fp32: bool = False, update_emas: bool = False
    ) -> Tensor:
        """
        Args:
            ws: [N, num_ws, w_dim].
            noise_mode: accepted as in the other generations; this network has no noise.
            force_fp32: compute as with the precision fp32.
            update_emas: update `magnitude_ema` with this batch, as training does.
        Returns: [N, img_channels, R, R] float32, nominally in [-1, 1].
        Raises: ShapeError for another shape, ConfigError for another mode.
        """
        first, *others = self.checked(ws, noise_mode).unbind(1)
        x, precision = self.input(first), "fp32" if force_fp32 else self.precision
        for layer, w in zip(self.layers, others, strict=True):
            x = layer(x, w, block_dtype(layer.low_precision, precision, first.device, first.dtype), update_emas)
        return wide(x) * self.output_scale


class Generator(FamilyGenerator):
    """Generator of StyleGAN3: z, c -> image.

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


def _padding(size: int, out_size: int, up: int, down: int, taps: int) -> tuple[int, int, int, int]:
    """Return the padding that turns `size` samples into `out_size` with `taps` filter taps in all, centers aligned."""
    total = (out_size - 1) * down + 1 - size * up + taps - 2
    before = (total + up) // 2
    return before, total - before, before, total - before
