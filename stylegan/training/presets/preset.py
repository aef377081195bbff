"""A preset: the part of the settings of a run that a name such as `stylegan3-t` decides."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from stylegan.training.config import AnnealConfig, AugmentConfig, GrowingConfig, Objective

Auto = Literal["auto"]  # follows the batch, see `assemble.FOLLOWS_BATCH`


@dataclass(frozen=True, kw_only=True)
class Network:
    """Some arguments of a generator or discriminator; None leaves one to the network's default or to the data."""

    z_dim: int | None = None
    w_dim: int | None = None
    mapping_layers: int | None = None
    channel_base: int | None = None
    channel_max: int | None = None
    num_fp16_res: int | None = None
    conv_clamp: float | None = None
    num_layers: int | None = None  # of StyleGAN3
    margin_size: int | None = None  # samples that StyleGAN3 draws around the image
    conv_kernel: int | None = None
    use_radial_filters: bool | None = None
    magnitude_ema_beta: float | Auto | None = None
    architecture: Literal["skip", "orig", "resnet"] | None = None  # of StyleGAN2 Fig. 7, not the generation
    mbstd_group_size: int | None = None
    input_resolution: int | None = None  # pixels per side that the projected discriminator enlarges images to
    n_features: int | None = None  # of the minimal networks: channels at the highest resolution,
    max_features: int | None = None  # and the most at any

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that are set, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def __or__(self, other: Network) -> Network:
        """Return the arguments of both; those of `other` win."""
        return Network(**{**self.arguments(), **other.arguments()})


@dataclass(frozen=True, kw_only=True)
class Blur:
    """The settings of `BlurConfig`."""

    init_sigma: float = 0.0
    fade_kimg: float | Auto = 200.0


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A part of a `TrainConfig`, with its names. None leaves a setting at its default."""

    architecture: str = "stylegan2"  # the generation, see `networks.family`
    resolution: int | None = None  # pixels per side that the preset is made for; None for any. Not a setting
    generator: Network
    discriminator: Network
    discriminator_kind: str | None = None  # one of `family.DISCRIMINATORS`

    batch: int  # images per step, over all devices
    micro_batch: int  # images that one device computes at once
    kimg: float
    tick_kimg: float
    snap_ticks: int

    g_lr: float
    d_lr: float
    mapping_lr: float | None = None
    adam_betas: tuple[float, float] | None = None
    clip_norm: float | None = None

    augment: AugmentConfig
    blur: Blur = Blur()
    anneal: AnnealConfig | None = None
    growing: GrowingConfig | None = None

    objective: Objective | None = None
    one_stage: bool | None = None
    separate_regularization: bool | None = None
    r1_gamma: float | Auto
    r1_interval: int | None = None
    r2_gamma: float | None = None
    path_length: Literal["running_mean", "previous_mean"] | None = None
    pl_weight: float
    pl_interval: int | None = None
    pl_start: int | None = None
    pl_batch_shrink: int | None = None
    style_mixing_prob: float
    ema_kimg: float | Auto
    ema_rampup: float | None = None
    ema_beta: float | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings of `TrainConfig` that this preset decides; those of groups as dictionaries."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "resolution"}
        groups = {
            "generator": self.generator.arguments(),
            "discriminator": self.discriminator.arguments(),
            "augment": self.augment.model_dump(),
            "blur": vars(self.blur).copy(),
            "anneal": self.anneal.model_dump() if self.anneal is not None else None,
            "growing": self.growing.model_dump() if self.growing is not None else None,
        }
        return {name: value for name, value in {**own, **groups}.items() if value is not None}
