"""StyleGAN: Karras et al. 2019.

The style-based generator with its constant input, noise and adaptive instance normalization, Fig. 1(b), and the
discriminator of ProGAN with a blur. ws has 2 log2(R) - 2 rows, two for each resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.errors import ShapeError
from stylegan.networks.growing_discriminator import GrowingDiscriminator
from stylegan.networks.growing_synthesis import GrowingGenerator, LayerOptions, SynthesisNetwork
from stylegan.networks.mapping import MappingNetwork
from stylegan.networks.sizes import resolutions
from stylegan.ops import pixel_norm

__all__ = ["Discriminator", "Generator"]


class Mapping(MappingNetwork):
    """f: Z -> W of StyleGAN: a label is embedded by a matrix and normalized together with z."""

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, num_ws: int, **options: Any):
        super().__init__(z_dim, c_dim, w_dim, num_ws, embed_features=z_dim, gain_in_weight=True, **options)
        if c_dim > 0:
            self.embed = nn.Linear(c_dim, z_dim, bias=False)
            nn.init.normal_(self.embed.weight)

    def join(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        parts = [part for part in (z, self.embed(c) if c is not None else None) if part is not None]
        return pixel_norm(torch.cat(parts, 1))


class Generator(GrowingGenerator):
    """Mapping and synthesis: z, c -> image.

    Args:
        z_dim, c_dim, w_dim: widths of the latent, the label (0 = unconditional) and the intermediate latent.
        img_resolution: pixels per side, a power of two and at least 4.
        img_channels: 1 gray, 3 color, 4 with alpha.
        mapping_layers: fully connected layers of the mapping network.
        channel_base, channel_max: resolution r has min(channel_base / r, channel_max) channels.
        num_fp16_res: the highest resolutions that may run in reduced precision.
        conv_clamp: limit on the output of convolutions; None for none.
        layer_features, lr_multiplier, w_avg_beta: see `MappingNetwork`.
        use_styles, use_noise, use_pixel_norm, use_instance_norm: what each layer does behind its convolution.
        const_input: start from a learned constant; otherwise from w, as traditional generators do from z.
        blur_filter: taps behind the convolution of enlarging layers; None for none.
        activation: "lrelu" or "relu".
    Attributes:
        lod: scalar float32 buffer, the level of detail: 0 draws at full resolution, 1 at half of it, see
            `level_of_detail`. Set it with `lod.fill_(value)`.
    Raises: ConfigError for a resolution or activation that is not one of these.
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
        channel_base: int = 16384,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        conv_clamp: float | None = None,
        layer_features: int | None = None,
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
        use_styles: bool = True,
        use_noise: bool = True,
        use_pixel_norm: bool = False,
        use_instance_norm: bool = True,
        const_input: bool = True,
        blur_filter: Sequence[float] | None = (1, 2, 1),
        activation: str = "lrelu",
    ):
        super().__init__(locals())
        num_ws = 2 * len(resolutions(img_resolution))
        self.synthesis = SynthesisNetwork(
            w_dim,
            num_ws,
            img_resolution,
            img_channels,
            LayerOptions(
                use_styles=use_styles,
                use_noise=use_noise,
                use_pixel_norm=use_pixel_norm,
                use_instance_norm=use_instance_norm,
                blur_filter=blur_filter,
                activation=activation,
                conv_clamp=conv_clamp,
            ),
            channel_base=channel_base,
            channel_max=channel_max,
            num_fp16_res=num_fp16_res,
            const_input=const_input,
        )
        self.mapping = Mapping(
            z_dim,
            c_dim,
            w_dim,
            num_ws,
            num_layers=mapping_layers,
            layer_features=layer_features,
            activation=activation,
            lr_multiplier=lr_multiplier,
            w_avg_beta=w_avg_beta,
        )


class Discriminator(GrowingDiscriminator):
    """An image, optionally with a label, to a logit that is high where it looks real.

    With labels there is one logit for each class, and the label says which counts.

    Args:
        c_dim, img_resolution, img_channels, channel_base, channel_max, num_fp16_res, conv_clamp: as in `Generator`.
        mbstd_group_size, mbstd_num_channels: see `ops.minibatch_std`; 0 channels leave it out.
        blur_filter: taps before each convolution that halves the size; None for none.
    Attributes:
        lod: as in `Generator`.
    Raises: ConfigError for a resolution that is not a power of two.
    """

    def __init__(
        self,
        c_dim: int = 0,
        img_resolution: int = 256,
        img_channels: int = 3,
        *,
        channel_base: int = 16384,
        channel_max: int = 512,
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        num_fp16_res: int = 0,
        conv_clamp: float | None = None,
        blur_filter: Sequence[float] | None = (1, 2, 1),
    ):
        super().__init__(locals(), num_outputs=max(c_dim, 1), blur_filter=blur_filter)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """
        Args:
            img: [N, img_channels, R, R] in [-1, 1].
            c: [N, c_dim] labels; None where c_dim is 0.
        Returns: logits [N, 1] float32.
        Raises: ShapeError for an image or label of another shape.
        """
        if self.c_dim > 0 and (c is None or c.shape[-1] != self.c_dim):
            got = "None" if c is None else list(c.shape)
            raise ShapeError(f"this discriminator is conditional and takes labels c [N, {self.c_dim}], got {got}.")
        logits = self.outputs(img, c)
        return (logits * c).sum(1, keepdim=True) if self.c_dim > 0 and c is not None else logits
