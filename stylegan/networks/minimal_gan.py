"""The minimal StyleGAN2 as one generator and one discriminator with the three calls of the family.

They wrap the five modules of `minimal.py` unchanged and add a running average of w for truncation, constant noise, and
images in [-1, 1] instead of the specification's [0, 1].
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.networks import minimal
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator, FamilySynthesis, NoiseMode, random_noise
from stylegan.networks.mapping import FamilyMapping
from stylegan.networks.settings import (
    Depth,
    Fraction,
    ImageChannels,
    LabelWidth,
    Resolution,
    Settings,
    Width,
    by_words,
)

__all__ = ["Discriminator", "DiscriminatorSettings", "Generator", "GeneratorSettings"]


@dataclass(frozen=True)
class GeneratorSettings(Settings):
    """Settings of `Generator`."""

    z_dim: Width = 512  # width of the latent z
    c_dim: LabelWidth = 0  # width of the label, which must be 0: the specification has no labels
    w_dim: Width = 512  # width of w, which must equal z_dim
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # must be 3
    _: KW_ONLY
    mapping_layers: Depth = 8  # fully connected layers of the mapping network
    n_features: Width = 32  # channels at the full resolution, doubled with every halving
    max_features: Width = 512  # most channels of any resolution
    w_avg_beta: Fraction = 0.995  # decay per batch of the running average of w

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.img_channels, self.c_dim)
        if self.z_dim != self.w_dim:
            raise ConfigError(
                f"the minimal mapping network keeps the width of z, got z_dim {self.z_dim} and w_dim {self.w_dim}."
            )


@dataclass(frozen=True)
class DiscriminatorSettings(Settings):
    """Settings of `Discriminator`."""

    c_dim: LabelWidth = 0  # width of the label, which must be 0: the specification has no labels
    img_resolution: Resolution = 256  # pixels per side, a power of two from 4 on
    img_channels: ImageChannels = 3  # must be 3
    _: KW_ONLY
    n_features: Width = 64  # channels at the full resolution, doubled with every halving
    max_features: Width = 512  # most channels of any resolution

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.img_channels, self.c_dim)


class Mapping(FamilyMapping, minimal.MappingNetwork):
    """`minimal.MappingNetwork`, with one w per block and truncation."""

    c_dim = 0
    narrow_weights: ClassVar[bool] = False  # the five modules use weights as they are

    def __init__(self, features: int, n_layers: int, num_ws: int, w_avg_beta: float):
        super().__init__(features, n_layers)
        self.z_dim, self.num_ws, self.w_avg_beta = features, num_ws, w_avg_beta
        self.register_buffer("w_avg", torch.zeros(features))

    def w(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        assert z is not None
        return minimal.MappingNetwork.forward(self, z)


def check_precision(precision: str) -> str:
    """Return `precision`. Raises: ConfigError unless it means fp32."""
    if precision not in ("auto", "fp32"):
        raise ConfigError(f"the minimal networks compute in fp32, got {precision!r}; set `precision` to fp32.")
    return precision


class Synthesis(FamilySynthesis, minimal.Generator):
    """`minimal.Generator` with ws [N, num_ws, w_dim] and its own noise."""

    narrow_weights: ClassVar[bool] = False

    def __init__(self, settings: GeneratorSettings):
        log_resolution = settings.img_resolution.bit_length() - 1
        super().__init__(log_resolution, settings.w_dim, settings.n_features, settings.max_features)
        self.num_ws, self.w_dim = self.n_blocks, settings.w_dim
        self.img_resolution, self.img_channels = settings.img_resolution, settings.img_channels
        for i in range(2 * self.n_blocks - 1):  # one map at 4x4, two at every other resolution
            side = 4 << (i + 1) // 2
            self.register_buffer(f"noise_const{i}", torch.randn(1, 1, side, side))

    def forward(self, ws: Tensor, *, noise_mode: str = "random", force_fp32: bool = False) -> Tensor:  # type: ignore[override]
        """ws [N, num_ws, w_dim] -> [N, 3, R, R], nominally in [-1, 1]; always as with `force_fp32`.

        Raises: ShapeError, ConfigError.
        """
        return self.draw(self.checked(ws, noise_mode), noise_mode)

    def draw(self, ws: Tensor, noise_mode: NoiseMode) -> Tensor:
        """Return the images of checked ws; see `forward`."""
        noise = [self._noise(i, ws.shape[0], noise_mode) for i in range(2 * self.n_blocks - 1)]
        pairs = [(None, noise[0]), *zip(noise[1::2], noise[2::2], strict=True)]
        return super().forward(ws.transpose(0, 1), pairs) * 2 - 1

    def _noise(self, i: int, n: int, noise_mode: NoiseMode) -> Tensor | None:
        if noise_mode == "none":
            return None
        const: Tensor = getattr(self, f"noise_const{i}")
        if callable(noise_mode):
            return noise_mode(const)
        return const if noise_mode == "const" else random_noise([n, *const.shape[1:]], const)


class Generator(FamilyGenerator):
    """Generator of the minimal StyleGAN2: z -> image.

    Args: the fields of `GeneratorSettings`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = GeneratorSettings
    settings: GeneratorSettings
    synthesis: Synthesis
    narrow_weights: ClassVar[bool] = False
    check_precision = staticmethod(check_precision)

    @by_words(GeneratorSettings)
    def __init__(self, settings: GeneratorSettings):
        super().__init__(settings)
        self.synthesis = Synthesis(settings)
        self.mapping = Mapping(settings.z_dim, settings.mapping_layers, self.num_ws, settings.w_avg_beta)


class Discriminator(FamilyDiscriminator):
    """`minimal.Discriminator` for images in [-1, 1].

    A logit depends on the other images of its batch, through the minibatch standard deviation; see
    `FamilyDiscriminator`.

    Args: the fields of `DiscriminatorSettings`.
    Raises: ConfigError for settings of another type or out of bounds.
    """

    Settings = DiscriminatorSettings
    settings: DiscriminatorSettings
    narrow_weights: ClassVar[bool] = False
    check_precision = staticmethod(check_precision)

    @by_words(DiscriminatorSettings)
    def __init__(self, settings: DiscriminatorSettings):
        super().__init__(settings)
        log_resolution = settings.img_resolution.bit_length() - 1
        self.net = minimal.Discriminator(log_resolution, settings.n_features, settings.max_features)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        """img [N, 3, R, R] in [-1, 1], N divisible by 4 -> logits [N, 1]"""
        img, _ = self.checked(img, c)
        return self.net((img + 1) / 2)


def _check(img_channels: int, c_dim: int) -> None:
    if img_channels != 3 or c_dim != 0:
        raise ConfigError(
            f"the minimal networks draw three channels without labels, got {img_channels} channels and "
            f"{c_dim} labels; convert the images to RGB, or choose another cfg."
        )
