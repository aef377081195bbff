"""The alias-free generators StyleGAN3-T and StyleGAN3-R: Karras et al. 2021.

-R is `conv_kernel=1, use_radial_filters=True` and twice the `channel_base` and `channel_max` of -T. The names in the
state dict are those of the official PyTorch releases. ws has a row for the input and one for every layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from stylegan.networks.generator import FamilyGenerator, check_synthesis
from stylegan.networks.layers import EqualizedLinear
from stylegan.networks.mapping import MappingNetwork
from stylegan.networks.precision import block_dtype
from stylegan.networks.stylegan2_discriminator import Discriminator
from stylegan.networks.stylegan3_schedule import Signal, schedule
from stylegan.ops import bias_act, filtered_lrelu, lowpass, modulated_conv2d, radial_lowpass

__all__ = ["Discriminator", "Generator"]


class SynthesisInput(nn.Module):
    """Fourier features on an infinite plane, moved by w and by the user. StyleGAN3 Sec. 3.2 and App. F.

    Attributes:
        transform: [3, 3] from image to feature coordinates, in widths of the image: the inverse of what happens
            to the image. A user may set it; nothing learns it.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

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
        """w [N, D] -> [N, C, size, size] float32"""
        motion = self.motion(w) @ self.transform
        freqs, shift = self.freqs @ motion[:, :2, :2], self.freqs @ motion[:, :2, 2:]  # [N, C, 2], [N, C, 1]
        phases = self.phases[:, None] + shift
        # Waves that the motion made too fast for the sampling rate fade out.
        excess = (freqs.norm(dim=2) - self.bandwidth) / (self.rate / 2 - self.bandwidth)
        amplitudes = (1 - excess).clamp(0, 1)
        positions = (torch.arange(self.size, device=w.device) + 0.5 - self.size / 2) / self.rate
        along_x = positions[:, None] * freqs[:, None, None, :, 0] + phases[:, None, None, :, 0]  # [N, 1, W, C]
        along_y = positions[:, None, None] * freqs[:, None, None, :, 1]  # [N, H, 1, C]
        waves = (2 * math.pi * (along_x + along_y)).sin() * amplitudes[:, None, None]
        return (waves @ (self.weight.t() / math.sqrt(len(self.weight)))).permute(0, 3, 1, 2)

    def motion(self, w: Tensor) -> Tensor:
        """The learned rotation and translation, w [N, D] -> [N, 3, 3]."""
        t = self.affine(w)
        cos, sin, x, y = (t / t[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        rotation = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], 1).reshape(-1, 3, 3)
        translation = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], 1).reshape(-1, 3, 3)
        return rotation @ translation


@dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """What all layers have in common. See `Generator`."""

    kernel: int
    lrelu_upsampling: int
    filter_size: int
    use_radial_filters: bool
    conv_clamp: float | None
    magnitude_ema_beta: float


class SynthesisLayer(nn.Module):
    """Modulated convolution and filtered leaky ReLU, StyleGAN3 Fig. 4(b)."""

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(self, before: Signal, after: Signal, w_dim: int, options: LayerOptions, low_precision: bool):
        super().__init__()
        self.conv_clamp, self.magnitude_ema_beta = options.conv_clamp, options.magnitude_ema_beta
        self.low_precision = low_precision
        kernel = options.kernel
        high_rate = max(before.rate, after.rate) * options.lrelu_upsampling
        self.up, self.down = high_rate // before.rate, high_rate // after.rate
        up_taps, down_taps = (options.filter_size * factor if factor > 1 else 1 for factor in (self.up, self.down))
        self.padding = _padding(before.size + kernel - 1, after.size, self.up, self.down, up_taps + down_taps)
        self.affine = EqualizedLinear(w_dim, before.channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(after.channels, before.channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after.channels))
        self.register_buffer("magnitude_ema", torch.ones([]))
        up_filter = lowpass(up_taps, before.cutoff, 2 * before.half_width, high_rate) if self.up > 1 else None
        down_design = radial_lowpass if options.use_radial_filters and not after.critical else lowpass
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
        """What brings inputs to unit magnitude, by a running mean of their squares. StyleGAN3 Sec. 3.2."""
        if update_emas:
            new = x.detach().to(torch.float32).square().mean().lerp(self.magnitude_ema, self.magnitude_ema_beta)
            self.magnitude_ema.copy_(new.where(new.isfinite(), self.magnitude_ema))  # a NaN would stay for good
        return self.magnitude_ema.rsqrt()


class ToRGB(SynthesisLayer):
    """Modulated 1x1 convolution to the image's channels, without demodulation, activation or filters."""

    def __init__(self, before: Signal, after: Signal, w_dim: int, options: LayerOptions, low_precision: bool):
        super().__init__(before, after, w_dim, replace(options, kernel=1, lrelu_upsampling=1), low_precision)
        self.weight_gain = 1 / math.sqrt(before.channels)

    def forward(self, x: Tensor, w: Tensor, dtype: torch.dtype, update_emas: bool) -> Tensor:
        """x [N, I, R, R], w [N, D] -> [N, img_channels, R, R] of `dtype`"""
        input_gain = self.input_gain(x, update_emas)
        s = self.affine(w) * self.weight_gain
        x = modulated_conv2d(x.to(dtype), self.weight, s, demodulate=False, input_gain=input_gain)
        return bias_act(x, self.bias, clamp=self.conv_clamp)


class SynthesisNetwork(nn.Module):
    """g: one w for the input and each layer to an image. See `Generator` for the arguments.

    Args:
        signals: what leaves the layers and toRGB, see `stylegan3_schedule`.
    """

    def __init__(
        self, w_dim: int, signals: list[Signal], options: LayerOptions, *, output_scale: float, num_fp16_res: int
    ):
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, signals[-1].size, signals[-1].channels
        self.num_ws, self.output_scale, self.precision = len(signals) + 1, output_scale, "auto"
        self.input = SynthesisInput(w_dim, signals[0])
        self.layer_names = []
        for i, (before, after) in enumerate(zip([signals[0], *signals], signals, strict=False)):
            layer_class = SynthesisLayer if after is not signals[-1] else ToRGB
            low_precision = after.rate * 2**num_fp16_res > self.img_resolution
            layer = layer_class(before, after, w_dim, options, low_precision)
            self.layer_names.append(f"L{i}_{after.size}_{after.channels}")
            setattr(self, self.layer_names[-1], layer)

    def forward(self, ws: Tensor, *, noise_mode: str = "random", update_emas: bool = False) -> Tensor:
        """
        Args:
            ws: [N, num_ws, w_dim].
            noise_mode: as of the other generations; there is no noise, so nothing changes.
            update_emas: let `magnitude_ema` follow this batch. Only training does.
        Returns: [N, img_channels, R, R] float32, nominally in [-1, 1].
        Raises: ShapeError for another shape, ConfigError for another mode.
        """
        check_synthesis(self, ws, noise_mode)
        first, *others = ws.to(torch.float32).unbind(1)
        x = self.input(first)
        for name, w in zip(self.layer_names, others, strict=True):
            layer: SynthesisLayer = getattr(self, name)
            x = layer(x, w, block_dtype(layer.low_precision, self.precision, ws.device), update_emas)
        return x.to(torch.float32) * self.output_scale


class Generator(FamilyGenerator):
    """Mapping and synthesis: z, c -> image.

    Args:
        z_dim, c_dim, w_dim: widths of the latent, the label (0 = unconditional) and the intermediate latent.
        img_resolution: pixels per side, a power of two and at least 16.
        img_channels: 1 gray, 3 color, 4 with alpha.
        mapping_layers: fully connected layers of the mapping network.
        num_layers: synthesis layers between the input and toRGB, at every resolution.
        num_critical: how many of them, at the end, are critically sampled.
        first_cutoff, first_stopband: of the first layer, in cycles per width of the image.
        last_stopband_rel: stop band of the last layer in units of its cutoff, which is half the resolution.
        margin_size: samples around the image in all layers but the last, at the layer's rate.
        output_scale: of the image, so that toRGB works on unit magnitudes.
        channel_base, channel_max: a layer has min(channel_base / 2 / cutoff, channel_max) channels.
        conv_kernel: 3, or 1 for equivariance to rotation.
        use_radial_filters: shrink by filters that are the same in all directions, for equivariance to rotation.
        filter_size: taps of a filter per factor of the change of rate.
        lrelu_upsampling: how much finer than its signals a layer samples its leaky ReLU.
        conv_clamp: limit on activations, which reduced precision needs; None for none.
        magnitude_ema_beta: decay of the running mean of squared inputs of each layer.
        num_fp16_res: the highest resolutions that may run in reduced precision.
        embed_features, layer_features, lr_multiplier, w_avg_beta: see `MappingNetwork`.
    Raises: ConfigError for a resolution, number of layers or of channels that cannot be.
    """

    def __init__(
        self,
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_resolution: int = 256,
        img_channels: int = 3,
        *,
        mapping_layers: int = 2,
        num_layers: int = 14,
        num_critical: int = 2,
        first_cutoff: float = 2.0,
        first_stopband: float = 2**2.1,
        last_stopband_rel: float = 2**0.3,
        margin_size: int = 10,
        output_scale: float = 0.25,
        channel_base: int = 32768,
        channel_max: int = 512,
        conv_kernel: int = 3,
        use_radial_filters: bool = False,
        filter_size: int = 6,
        lrelu_upsampling: int = 2,
        conv_clamp: float | None = 256.0,
        magnitude_ema_beta: float = 0.999,
        num_fp16_res: int = 4,
        embed_features: int | None = None,
        layer_features: int | None = None,
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.998,
    ):
        super().__init__(locals())
        signals = schedule(
            img_resolution=img_resolution,
            img_channels=img_channels,
            num_layers=num_layers,
            num_critical=num_critical,
            first_cutoff=first_cutoff,
            first_stopband=first_stopband,
            last_stopband_rel=last_stopband_rel,
            margin_size=margin_size,
            channel_base=channel_base,
            channel_max=channel_max,
        )
        options = LayerOptions(
            kernel=conv_kernel,
            lrelu_upsampling=lrelu_upsampling,
            filter_size=filter_size,
            use_radial_filters=use_radial_filters,
            conv_clamp=conv_clamp,
            magnitude_ema_beta=magnitude_ema_beta,
        )
        self.synthesis = SynthesisNetwork(w_dim, signals, options, output_scale=output_scale, num_fp16_res=num_fp16_res)
        self.mapping = MappingNetwork(
            z_dim,
            c_dim,
            w_dim,
            self.synthesis.num_ws,
            num_layers=mapping_layers,
            embed_features=embed_features,
            layer_features=layer_features,
            lr_multiplier=lr_multiplier,
            w_avg_beta=w_avg_beta,
        )


def _padding(size: int, out_size: int, up: int, down: int, taps: int) -> tuple[int, int, int, int]:
    """What lets `size` samples become `out_size` through filters of `taps` in all, the centers aligned."""
    total = (out_size - 1) * down + 1 - size * up + taps - 2
    before = (total + up) // 2
    return before, total - before, before, total - before
