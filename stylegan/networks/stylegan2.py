"""The generator of StyleGAN2 and StyleGAN2-ADA: Karras et al. 2020a Fig. 2 and 7, Karras et al. 2020b.

The names in the state dict are those of the official PyTorch releases. ws has 2 log2(R) - 2 rows; the toRGB of a
block shares its row with the first convolution of the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stylegan.networks.generator import FamilyGenerator, check_synthesis, noise_like
from stylegan.networks.layers import SQRT_HALF, EqualizedConv2d, EqualizedLinear
from stylegan.networks.mapping import MappingNetwork
from stylegan.networks.precision import block_dtype, is_marked
from stylegan.networks.sizes import channels_at, check_architecture, resolutions
from stylegan.networks.stylegan2_discriminator import Discriminator
from stylegan.ops import bias_act, modulated_conv2d, setup_filter, upsample2d
from stylegan.ops.bias_act import activation_gain

__all__ = ["Discriminator", "Generator"]


@dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """What all layers have in common. See `Generator`."""

    resample_filter: Sequence[float]
    activation: str
    use_noise: bool
    conv_clamp: float | None


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU. StyleGAN2 Fig. 2(c)."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        options: LayerOptions,
        *,
        up: int = 1,
    ):
        super().__init__()
        self.up, self.activation = up, options.activation
        self.use_noise, self.conv_clamp = options.use_noise, options.conv_clamp
        self.act_gain = activation_gain(options.activation)
        self.affine = EqualizedLinear(w_dim, in_channels, bias_init=1)  # so that styles start near one
        # No run-time scale: demodulation undoes it.
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        if options.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", setup_filter(options.resample_filter))
        if options.use_noise:
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

    def __init__(self, in_channels: int, img_channels: int, w_dim: int, conv_clamp: float | None):
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = EqualizedLinear(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, I, H, W], w [N, D] -> [N, img_channels, H, W]"""
        x = modulated_conv2d(x, self.weight, self.affine(w) * self.weight_gain, demodulate=False)
        return bias_act(x, self.bias, clamp=self.conv_clamp)


class SynthesisBlock(nn.Module):
    """One resolution of the generator, in any of the three forms of StyleGAN2 Fig. 7."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        options: LayerOptions,
        *,
        is_last: bool,
        architecture: str,
        low_precision: bool,
    ):
        super().__init__()
        self.in_channels, self.resolution, self.architecture = in_channels, resolution, architecture
        self.low_precision = low_precision
        self.register_buffer("resample_filter", setup_filter(options.resample_filter))
        self.num_conv = 1 if in_channels == 0 else 2
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, options, up=2)
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, options)
        self.num_torgb = int(is_last or architecture == "skip")
        if self.num_torgb:
            self.torgb = ToRGB(out_channels, img_channels, w_dim, options.conv_clamp)
        if in_channels > 0 and architecture == "resnet":
            self.skip = EqualizedConv2d(
                in_channels, out_channels, 1, bias=False, up=2, resample_filter=options.resample_filter
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
            x = self.conv1(x.contiguous(memory_format=torch.channels_last), next(w), noise_mode)
        elif self.architecture == "resnet":
            x = x.to(dtype)
            y = self.skip(x, gain=SQRT_HALF)
            x = self.conv0(x, next(w), noise_mode)
            x = y + self.conv1(x, next(w), noise_mode, gain=SQRT_HALF)
        else:
            x = self.conv0(x.to(dtype), next(w), noise_mode)
            x = self.conv1(x, next(w), noise_mode)
        if img is not None:
            img = upsample2d(img, self.resample_filter)
        if self.num_torgb:
            rgb = self.torgb(x, next(w)).to(torch.float32)
            img = rgb if img is None else img + rgb
        return x, img


class SynthesisNetwork(nn.Module):
    """g: one w per layer to an image. See `Generator` for the arguments."""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        options: LayerOptions,
        *,
        channel_base: int,
        channel_max: int,
        architecture: str,
        num_fp16_res: int,
    ):
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.block_resolutions = resolutions(img_resolution)
        self.precision = "auto"
        self.num_ws = 0
        for r in self.block_resolutions:
            block = SynthesisBlock(
                channels_at(r // 2, channel_base, channel_max) if r > 4 else 0,
                channels_at(r, channel_base, channel_max),
                w_dim,
                r,
                img_channels,
                options,
                is_last=r == img_resolution,
                architecture=check_architecture(architecture),
                low_precision=is_marked(r, img_resolution, num_fp16_res),
            )
            self.num_ws += block.num_conv + (block.num_torgb if r == img_resolution else 0)
            setattr(self, f"b{r}", block)

    def forward(self, ws: Tensor, *, noise_mode: str = "random") -> Tensor:
        """
        Args:
            ws: [N, num_ws, w_dim].
            noise_mode: "random" draws anew, "const" takes the network's own, "none" adds none.
        Returns: [N, img_channels, R, R] float32, nominally in [-1, 1].
        Raises: ShapeError for another shape, ConfigError for another mode.
        """
        check_synthesis(self, ws, noise_mode)
        ws = ws.to(torch.float32)
        x = img = None
        i = 0
        for r in self.block_resolutions:
            block: SynthesisBlock = getattr(self, f"b{r}")
            dtype = block_dtype(block.low_precision, self.precision, ws.device)
            x, img = block(x, img, ws[:, i : i + block.num_conv + block.num_torgb], noise_mode, dtype)
            i += block.num_conv
        assert img is not None  # the last block has a toRGB in every architecture
        return img


class Generator(FamilyGenerator):
    """Mapping and synthesis: z, c -> image.

    Args:
        z_dim, c_dim, w_dim: widths of the latent, the label (0 = unconditional) and the intermediate latent.
        img_resolution: pixels per side, a power of two and at least 4.
        img_channels: 1 gray, 3 color, 4 with alpha.
        mapping_layers: fully connected layers of the mapping network.
        channel_base, channel_max: resolution r has min(channel_base / r, channel_max) channels.
        architecture: "skip", "orig" or "resnet", StyleGAN2 Fig. 7.
        num_fp16_res: the highest resolutions that may run in reduced precision.
        conv_clamp: limit on the output of convolutions, which reduced precision needs; None for none.
        embed_features, layer_features, lr_multiplier, w_avg_beta: see `MappingNetwork`.
        resample_filter, activation, use_noise: taps, non-linearity and noise inputs of the synthesis layers.
    Raises: ConfigError for a resolution or architecture that is not one of these.
    """

    def __init__(
        self,
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_resolution: int = 256,
        img_channels: int = 3,
        *,
        mapping_layers: int = 8,
        channel_base: int = 32768,
        channel_max: int = 512,
        architecture: str = "skip",
        num_fp16_res: int = 0,
        conv_clamp: float | None = None,
        embed_features: int | None = None,
        layer_features: int | None = None,
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
        resample_filter: Sequence[float] = (1, 3, 3, 1),
        activation: str = "lrelu",
        use_noise: bool = True,
    ):
        super().__init__(locals())
        self.synthesis = SynthesisNetwork(
            w_dim,
            img_resolution,
            img_channels,
            LayerOptions(
                resample_filter=resample_filter, activation=activation, use_noise=use_noise, conv_clamp=conv_clamp
            ),
            channel_base=channel_base,
            channel_max=channel_max,
            architecture=architecture,
            num_fp16_res=num_fp16_res,
        )
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
