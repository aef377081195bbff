"""Progressive GAN: Karras et al. 2018.

A generator that starts from the latent itself, with pixel norm behind every convolution, and a discriminator that
tells real from generated and, where there are labels, one label from another. Both grow by `lod`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.networks.growing_discriminator import GrowingDiscriminator
from stylegan.networks.growing_synthesis import GrowingGenerator, LayerOptions, SynthesisNetwork
from stylegan.networks.mapping import FamilyMapping
from stylegan.ops import pixel_norm

__all__ = ["Discriminator", "Generator"]


class LatentNormalization(FamilyMapping):
    """z, with the label behind it, on the unit sphere: what stands for the mapping network. Nothing is learned.

    Truncation is towards the middle of the sphere.
    """

    num_ws = 1

    def __init__(self, z_dim: int, c_dim: int):
        super().__init__()
        self.z_dim, self.c_dim = z_dim, c_dim

    def w(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        return pixel_norm(torch.cat([part for part in (z, c) if part is not None], 1))

    def average(self, w: Tensor, update: bool) -> Tensor:
        return torch.zeros_like(w[0])


class Generator(GrowingGenerator):
    """z, c -> image.

    Args:
        z_dim, c_dim: widths of the latent and the label (0 = unconditional).
        img_resolution: pixels per side, a power of two and at least 4.
        img_channels: 1 gray, 3 color, 4 with alpha.
        channel_base, channel_max: resolution r has min(channel_base / r, channel_max) channels.
        num_fp16_res: the highest resolutions that may run in reduced precision.
        conv_clamp: limit on the output of convolutions; None for none.
    Attributes:
        lod: scalar float32 buffer, the level of detail: 0 draws at full resolution, 1 at half of it, see
            `level_of_detail`. Set it with `lod.fill_(value)`.
    Raises: ConfigError for a resolution that is not one of these.
    """

    def __init__(
        self,
        z_dim: int = 512,
        c_dim: int = 0,
        img_resolution: int = 256,
        img_channels: int = 3,
        *,
        channel_base: int = 16384,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        conv_clamp: float | None = None,
    ):
        super().__init__(locals())
        self.mapping = LatentNormalization(z_dim, c_dim)
        self.synthesis = SynthesisNetwork(
            w_dim=z_dim + c_dim,
            num_ws=1,
            img_resolution=img_resolution,
            img_channels=img_channels,
            options=LayerOptions(
                use_styles=False,
                use_noise=False,
                use_pixel_norm=True,
                use_instance_norm=False,
                blur_filter=None,
                activation="lrelu",
                conv_clamp=conv_clamp,
            ),
            channel_base=channel_base,
            channel_max=channel_max,
            num_fp16_res=num_fp16_res,
            const_input=False,
        )


class Discriminator(GrowingDiscriminator):
    """An image to a score that is high where it looks real, and a logit for each label.

    Args:
        c_dim, img_resolution, img_channels, channel_base, channel_max, num_fp16_res, conv_clamp: as in `Generator`.
        mbstd_group_size, mbstd_num_channels: see `ops.minibatch_std`; 0 channels leave it out.
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
    ):
        super().__init__(locals(), num_outputs=1 + c_dim, blur_filter=None)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """img [N, img_channels, R, R] in [-1, 1] -> scores [N, 1] float32. The label changes nothing: it is guessed.

        Raises: ShapeError for an image of another shape, or a label where there are none.
        """
        return self.outputs(img, c)[:, :1]

    def score_and_labels(self, img: Tensor) -> tuple[Tensor, Tensor]:
        """img [N, img_channels, R, R] -> scores [N, 1], logits of the labels [N, c_dim], both float32."""
        outputs = self.outputs(img)
        return outputs[:, :1], outputs[:, 1:]
