"""The minimal StyleGAN2 as one generator and one discriminator with the three calls of the family.

The five modules of `minimal.py` are inside as they are. What is added: an average of w to truncate to, noise that
stays, and images in [-1, 1] where those of the specification lie in [0, 1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.networks import minimal
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator, check_synthesis
from stylegan.networks.mapping import FamilyMapping
from stylegan.networks.sizes import resolutions


class Mapping(FamilyMapping, minimal.MappingNetwork):
    """`minimal.MappingNetwork`, with one w per block and truncation."""

    c_dim = 0

    def __init__(self, features: int, n_layers: int, num_ws: int, w_avg_beta: float):
        super().__init__(features, n_layers)
        self.z_dim, self.num_ws, self.w_avg_beta = features, num_ws, w_avg_beta
        self.register_buffer("w_avg", torch.zeros(features))

    def w(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        assert z is not None
        return minimal.MappingNetwork.forward(self, z)


def check_precision(precision: str) -> str:
    """`precision` itself, or a ConfigError unless it means fp32."""
    if precision not in ("auto", "fp32"):
        raise ConfigError(f"the minimal networks compute in fp32, got {precision}; set `precision` to fp32.")
    return precision


class Synthesis(minimal.Generator):
    """`minimal.Generator` with ws [N, num_ws, w_dim] and its own noise."""

    precision = "auto"

    def __init__(self, w_dim: int, img_resolution: int, n_features: int, max_features: int):
        super().__init__(img_resolution.bit_length() - 1, w_dim, n_features, max_features)
        self.num_ws, self.w_dim, self.img_resolution = self.n_blocks, w_dim, img_resolution
        for i in range(2 * self.n_blocks - 1):  # one map at 4x4, two at every other resolution
            side = 4 << (i + 1) // 2
            self.register_buffer(f"noise_const{i}", torch.randn(1, 1, side, side))

    def forward(self, ws: Tensor, *, noise_mode: str = "random") -> Tensor:  # type: ignore[override]
        """ws [N, num_ws, w_dim] -> [N, 3, R, R], nominally in [-1, 1]. Raises: ShapeError, ConfigError."""
        check_synthesis(self, ws, noise_mode)
        noise = [self._noise(i, len(ws), noise_mode) for i in range(2 * self.n_blocks - 1)]
        pairs = [(None, noise[0]), *zip(noise[1::2], noise[2::2], strict=True)]
        return super().forward(ws.transpose(0, 1), pairs) * 2 - 1

    def _noise(self, i: int, n: int, noise_mode: str) -> Tensor | None:
        if noise_mode == "none":
            return None
        const: Tensor = getattr(self, f"noise_const{i}")
        return const if noise_mode == "const" else torch.randn([n, *const.shape[1:]], device=const.device)


class Generator(FamilyGenerator):
    """Mapping and synthesis: z -> image.

    Args:
        z_dim, w_dim: width of the latent, which is that of w too.
        c_dim: must be 0, the specification knows no labels.
        img_resolution: pixels per side, a power of two and at least 4.
        img_channels: must be 3.
        mapping_layers: fully connected layers of the mapping network.
        n_features: channels at the full resolution, doubled with every halving.
        max_features: most channels.
        w_avg_beta: decay of the running average of w.
    Raises: ConfigError for anything else.
    """

    check_precision = staticmethod(check_precision)

    def __init__(
        self,
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_resolution: int = 256,
        img_channels: int = 3,
        *,
        mapping_layers: int = 8,
        n_features: int = 32,
        max_features: int = 512,
        w_avg_beta: float = 0.995,
    ):
        super().__init__(locals())
        _check(img_resolution, img_channels, c_dim)
        if z_dim != w_dim:
            raise ConfigError(f"the minimal mapping network keeps the width of z, got z_dim {z_dim} and w_dim {w_dim}.")
        self.synthesis = Synthesis(w_dim, img_resolution, n_features, max_features)
        self.mapping = Mapping(z_dim, mapping_layers, self.num_ws, w_avg_beta)


class Discriminator(FamilyDiscriminator):
    """`minimal.Discriminator` for images in [-1, 1].

    Args: as in `Generator`, and as in `minimal.Discriminator`.
    """

    check_precision = staticmethod(check_precision)

    def __init__(
        self,
        c_dim: int = 0,
        img_resolution: int = 256,
        img_channels: int = 3,
        *,
        n_features: int = 64,
        max_features: int = 512,
    ):
        super().__init__(locals())
        _check(img_resolution, img_channels, c_dim)
        self.net = minimal.Discriminator(int(math.log2(img_resolution)), n_features, max_features)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """img [N, 3, R, R] in [-1, 1], N divisible by 4 -> logits [N, 1]"""
        self.check(img, c)
        return self.net((img.to(torch.float32) + 1) / 2)


def _check(img_resolution: int, img_channels: int, c_dim: int) -> None:
    resolutions(img_resolution)
    if img_channels != 3 or c_dim != 0:
        raise ConfigError(
            f"the minimal networks draw three channels without labels, got {img_channels} channels and "
            f"{c_dim} labels; convert the images to RGB, or choose another cfg."
        )
