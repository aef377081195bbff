"""Named configurations: the networks of a paper with the training settings that they were tuned with.

A name is a generation (`stylegan3-t`), a size for a CPU, which is a StyleGAN2 (`cpu32`), or both
(`stylegan3-t-cpu32`). Generations and the other names have the settings of the papers; the sizes are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from stylegan.errors import ConfigError
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


@dataclass(frozen=True, kw_only=True)
class Size:
    """Settings that all generations share in a size for a CPU. Those of one generation follow it below."""

    resolution: int
    latent: int  # width of z, and of w
    channels: Network  # of both networks
    batch: int  # small, since what a CPU lacks is steps
    r1_gamma: float  # with much less, the discriminator of so small a network wins at once
    kimg: float = 1000.0

    def shrink(self, generation: Preset) -> Preset:
        """Return `generation` with the shared settings of this size."""
        return replace(
            generation,
            resolution=self.resolution,
            generator=generation.generator | self.channels | Network(z_dim=self.latent),
            discriminator=generation.discriminator | self.channels,
            batch=self.batch,
            micro_batch=self.batch,
            kimg=self.kimg,
            tick_kimg=1.0,
            snap_ticks=20,
            g_lr=0.0025,
            d_lr=0.0025,
            augment=AugmentConfig(mode="noaug"),  # costs steps; helps below a few thousand images
            ema_kimg=5.0,
            ema_rampup=0.05,
            ema_beta=None,
        )

    def shrink_styled(self, generation: Preset) -> Preset:
        """Return `generation`, which has a mapping network and R1, in this size."""
        small = self.shrink(generation)
        mapping = Network(w_dim=self.latent, mapping_layers=2)
        return replace(small, generator=small.generator | mapping, r1_gamma=self.r1_gamma)


SIZES = {
    "cpu64": Size(
        resolution=64, latent=256, channels=Network(channel_base=4096, channel_max=256), batch=16, r1_gamma=2.0
    ),
    "cpu32": Size(
        resolution=32, latent=128, channels=Network(channel_base=2048, channel_max=128), batch=16, r1_gamma=1.0
    ),
    "tiny16": Size(
        resolution=16, latent=32, channels=Network(channel_base=256, channel_max=32), batch=8, r1_gamma=1.0, kimg=10.0
    ),
}

# ---------------------------------------------------------------------------------------------------------------------
# StyleGAN2 and StyleGAN2-ADA. Trained on 8 GPUs, with batch / 8 images at once on each; fewer GPUs accumulate.

_LARGE = Network(channel_base=32768, channel_max=512)
_HALF = Network(channel_base=16384, channel_max=512)
_MIXED_PRECISION = Network(num_fp16_res=4, conv_clamp=256.0)

STYLEGAN2 = Preset(
    generator=Network(z_dim=512, w_dim=512, mapping_layers=8) | _LARGE | _MIXED_PRECISION,
    discriminator=_LARGE | _MIXED_PRECISION | Network(mbstd_group_size=4, architecture="resnet"),
    batch=32,
    micro_batch=4,
    kimg=25000.0,
    tick_kimg=4.0,
    snap_ticks=50,
    g_lr=0.002,
    d_lr=0.002,
    augment=AugmentConfig(mode="ada", max_p=1.0),
    r1_gamma=10.0,
    pl_weight=2.0,
    style_mixing_prob=0.9,
    ema_kimg=10.0,
)
PAPER512 = replace(
    STYLEGAN2,
    discriminator=STYLEGAN2.discriminator | Network(mbstd_group_size=8),
    batch=64,
    micro_batch=8,
    g_lr=0.0025,
    d_lr=0.0025,
    r1_gamma=0.5,
    ema_kimg=20.0,
)
PAPER256 = replace(
    PAPER512, generator=PAPER512.generator | _HALF, discriminator=PAPER512.discriminator | _HALF, r1_gamma=1.0
)
PAPER1024 = replace(STYLEGAN2, r1_gamma=2.0)
CIFAR = replace(
    STYLEGAN2,
    generator=STYLEGAN2.generator | Network(mapping_layers=2),
    discriminator=STYLEGAN2.discriminator | Network(architecture="orig", mbstd_group_size=32),
    batch=64,
    micro_batch=32,
    kimg=100000.0,
    g_lr=0.0025,
    d_lr=0.0025,
    r1_gamma=0.01,
    pl_weight=0.0,
    style_mixing_prob=0.0,
    ema_kimg=500.0,
    ema_rampup=0.05,
)


def _soon_good(small: Preset, channels: Network) -> Preset:
    """Return `small` with the settings that learn most per second on a CPU, see docs/recipe.md."""
    return replace(
        small,
        generator=small.generator | channels,
        discriminator=small.discriminator | channels,
        batch=8,
        micro_batch=8,
        g_lr=0.005,
        d_lr=0.005,
        one_stage=True,
        pl_weight=0.0,
    )


STYLEGAN2_SIZES = {
    "cpu64": _soon_good(SIZES["cpu64"].shrink_styled(STYLEGAN2), Network(channel_base=2048, channel_max=192)),
    "cpu32": _soon_good(SIZES["cpu32"].shrink_styled(STYLEGAN2), Network(channel_base=1024, channel_max=128)),
    "tiny16": SIZES["tiny16"].shrink_styled(STYLEGAN2),  # for tests, which need all losses
}


def auto(resolution: int, gpus: int) -> Preset:
    """Return a StyleGAN2 whose batch and learning rate suit the resolution and the number of devices.

    Source: the configuration `auto` of StyleGAN2-ADA.
    """
    batch = max(min(gpus * min(4096 // resolution, 32), 64), gpus)
    lr = 0.002 if resolution >= 1024 else 0.0025
    channels = _LARGE if resolution >= 512 else _HALF
    return replace(
        STYLEGAN2,
        generator=STYLEGAN2.generator | channels | Network(mapping_layers=2),
        discriminator=STYLEGAN2.discriminator | channels | Network(mbstd_group_size=min(batch // gpus, 4)),
        batch=batch,
        micro_batch=batch // gpus,
        g_lr=lr,
        d_lr=lr,
        r1_gamma="auto",
        ema_kimg="auto",
        ema_rampup=0.05,
    )


# ---------------------------------------------------------------------------------------------------------------------
# StyleGAN3 App. E. R1 follows the resolution, see `stylegan3`; the other regularizers are gone.

STYLEGAN3_T = replace(
    STYLEGAN2,
    architecture="stylegan3",
    generator=STYLEGAN2.generator | Network(mapping_layers=2, magnitude_ema_beta="auto"),
    g_lr=0.0025,
    pl_weight=0.0,
    pl_interval=1,
    style_mixing_prob=0.0,
    ema_kimg="auto",
    ema_rampup=0.05,
)
_RADIAL = Network(conv_kernel=1, use_radial_filters=True)
STYLEGAN3_R = replace(
    STYLEGAN3_T,
    generator=STYLEGAN3_T.generator | _RADIAL | Network(channel_base=65536, channel_max=1024),
    blur=Blur(init_sigma=10.0, fade_kimg="auto"),
)


def stylegan3(generation: Preset, resolution: int) -> Preset:
    """Return `generation` with the weight of R1 that its authors advise at a batch of 32."""
    return replace(generation, r1_gamma=32.0 * (resolution / 1024) ** 2)


def _stylegan3_size(name: str, *, layers: int, generation: Preset = STYLEGAN3_T) -> Preset:
    small = SIZES[name].shrink_styled(generation)
    return replace(small, generator=small.generator | Network(num_layers=layers, margin_size=layers))


def _stylegan3_r_size(name: str, *, layers: int, channels: Network, blur: Blur) -> Preset:
    small = _stylegan3_size(name, layers=layers, generation=STYLEGAN3_R)
    return replace(small, generator=small.generator | channels, blur=blur)


STYLEGAN3_T_SIZES = {
    "cpu64": _stylegan3_size("cpu64", layers=10),
    "cpu32": _stylegan3_size("cpu32", layers=6),
    "tiny16": _stylegan3_size("tiny16", layers=4),
}
STYLEGAN3_R_SIZES = {  # kernels of 1x1, so twice the channels
    "cpu64": _stylegan3_r_size(
        "cpu64",
        layers=10,
        channels=Network(channel_base=8192, channel_max=512),
        blur=Blur(init_sigma=2.5, fade_kimg=80.0),
    ),
    "cpu32": _stylegan3_r_size(
        "cpu32",
        layers=6,
        channels=Network(channel_base=4096, channel_max=256),
        blur=Blur(init_sigma=1.25, fade_kimg=20.0),
    ),
    "tiny16": _stylegan3_r_size(
        "tiny16",
        layers=4,
        channels=Network(channel_base=512, channel_max=64),
        blur=Blur(init_sigma=0.625, fade_kimg=0.064),
    ),
}

# ---------------------------------------------------------------------------------------------------------------------
# ProGAN App. A and StyleGAN1, on 8 GPUs. Both grow, and regularize in every step.

_GROWING = GrowingConfig(
    initial_resolution=4,
    training_kimg=600.0,
    transition_kimg=600.0,
    batch={4: 512, 8: 256, 16: 128, 32: 64},
    lr={128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003},
)
PROGAN = replace(
    STYLEGAN2,
    architecture="progan",
    generator=Network(z_dim=512) | _HALF,
    discriminator=_HALF | Network(mbstd_group_size=4),
    kimg=12000.0,
    g_lr=0.001,
    d_lr=0.001,
    augment=AugmentConfig(mode="noaug", max_p=1.0),
    growing=_GROWING,
    objective="wasserstein_gp",
    r1_gamma=0.0,
    r1_interval=1,
    pl_weight=0.0,
    pl_interval=1,
    style_mixing_prob=0.0,
    ema_beta=0.999,
)
STYLEGAN1 = replace(
    PROGAN,
    architecture="stylegan1",
    generator=PROGAN.generator | Network(w_dim=512, mapping_layers=8),
    kimg=25000.0,
    growing=_GROWING.model_copy(update={"initial_resolution": 8}),
    objective="logistic",
    r1_gamma=10.0,
    style_mixing_prob=0.9,
    ema_beta=None,
)


def _growing_size(small: Preset, *, initial_resolution: int, kimg: float) -> Preset:
    """Return `small` with `kimg` at each resolution, and as much to fade in the next."""
    return replace(
        small,
        generator=small.generator | _MIXED_PRECISION,
        discriminator=small.discriminator | _MIXED_PRECISION,
        growing=GrowingConfig(initial_resolution=initial_resolution, training_kimg=kimg, transition_kimg=kimg),
    )


_GROWTH_KIMG = {"cpu64": 40.0, "cpu32": 10.0, "tiny16": 0.032}
PROGAN_SIZES = {
    name: _growing_size(SIZES[name].shrink(PROGAN), initial_resolution=4, kimg=kimg)
    for name, kimg in _GROWTH_KIMG.items()
}
STYLEGAN1_SIZES = {
    name: _growing_size(SIZES[name].shrink_styled(STYLEGAN1), initial_resolution=8, kimg=kimg)
    for name, kimg in _GROWTH_KIMG.items()
}

# ---------------------------------------------------------------------------------------------------------------------
# The minimal StyleGAN2 of the specification. Its networks see images in [0, 1]. In ours, [-1, 1], slopes of D are half
# as steep and those of G twice, so gamma 10 becomes 40 and the weight 1 of the path length a quarter.

MINIMAL = replace(
    STYLEGAN2,
    architecture="minimal",
    generator=Network(z_dim=512, w_dim=512, mapping_layers=8, n_features=32, max_features=512),
    discriminator=Network(n_features=64, max_features=512),
    micro_batch=32,
    g_lr=0.001,
    d_lr=0.001,
    mapping_lr=0.00001,
    clip_norm=1.0,
    augment=AugmentConfig(mode="noaug", max_p=1.0),
    objective="hinge",
    separate_regularization=False,
    r1_gamma=40.0,
    r1_interval=4,
    path_length="previous_mean",
    pl_weight=0.25 / 32,
    pl_interval=32,
    pl_start=5000,
    pl_batch_shrink=1,
)


def _minimal_size(name: str, features: Network) -> Preset:
    """Return the minimal networks in a size, with the learning rates and the gamma of the specification."""
    size = SIZES[name]
    mapping = Network(z_dim=size.latent, w_dim=size.latent, mapping_layers=2)
    return replace(
        size.shrink(MINIMAL),
        generator=mapping | features,
        discriminator=features,
        g_lr=MINIMAL.g_lr,
        d_lr=MINIMAL.d_lr,
    )


MINIMAL_SIZES = {
    "cpu64": _minimal_size("cpu64", Network(n_features=64, max_features=256)),
    "cpu32": _minimal_size("cpu32", Network(n_features=64, max_features=128)),
    "tiny16": _minimal_size("tiny16", Network(n_features=16, max_features=32)),
}

# ---------------------------------------------------------------------------------------------------------------------
# R3GAN, on 8 GPUs, with R1 and R2 in every step. Most settings change along a cosine until the end.

R3GAN = replace(
    STYLEGAN2,
    architecture="r3gan",
    generator=Network(z_dim=64, channel_base=24576, channel_max=768, num_fp16_res=4),
    discriminator=Network(channel_base=24576, channel_max=768, num_fp16_res=4),
    batch=256,
    micro_batch=32,
    kimg=20000.0,
    g_lr=0.0002,
    d_lr=0.0002,
    adam_betas=(0.0, 0.9),
    augment=AugmentConfig(mode="fixed", p=0.0, max_p=1.0),
    anneal=AnnealConfig(kimg=20000.0, lr=0.25, gamma=0.1, beta2=0.99, ema_kimg=500.0, augment_p=0.3),
    objective="relativistic",
    r1_gamma=2.0,
    r1_interval=1,
    r2_gamma=2.0,
    pl_weight=0.0,
    pl_interval=1,
    style_mixing_prob=0.0,
    ema_kimg=0.0,
)


def r3gan(resolution: int) -> Preset:
    """Return R3GAN with its published weight of R1 and R2 at 64 and 256 px, and with their power law elsewhere."""
    gamma = 2.0 * (150 / 2) ** (math.log2(resolution / 64) / math.log2(256 / 64))
    return replace(R3GAN, r1_gamma=gamma, r2_gamma=gamma)


def _r3gan_size(name: str) -> Preset:
    size = SIZES[name]
    small = size.shrink(R3GAN)
    return replace(
        small,
        generator=small.generator | Network(z_dim=min(size.latent, 64)),
        g_lr=R3GAN.g_lr,  # without an equalized learning rate, Adam's steps must stay small
        d_lr=R3GAN.d_lr,
        adam_betas=None,
        anneal=None,
        r1_gamma=size.r1_gamma,
        r2_gamma=size.r1_gamma,
    )


R3GAN_SIZES = {name: _r3gan_size(name) for name in SIZES}

# ---------------------------------------------------------------------------------------------------------------------
# Projected GAN, which replaces the discriminator of any preset and its regularizers. The blur is that of StyleGAN-XL.


def projected(p: Preset) -> Preset:
    """Return `p` with a projected discriminator; in the sizes for a CPU, with the smallest input that it can score.

    The learning rates stay. At most a quarter separates those for StyleGAN2 from the published 0.002.
    """
    return replace(
        p,
        discriminator_kind="projected",
        discriminator=Network(input_resolution=128) if p.resolution is not None else Network(),
        augment=AugmentConfig(mode="diffaugment", cutout=0.2),
        blur=Blur(init_sigma=2.0, fade_kimg=300.0),
        growing=None,
        objective="hinge",
        one_stage=None,
        r1_gamma=0.0,
        r1_interval=1,  # no lazy regularizer, so no correction of Adam for one
        r2_gamma=None,
        pl_weight=0.0,
        pl_interval=1,
    )


# ---------------------------------------------------------------------------------------------------------------------

GENERATIONS = {
    "progan": PROGAN,
    "stylegan1": STYLEGAN1,
    "stylegan2": STYLEGAN2,
    "stylegan3-t": STYLEGAN3_T,
    "stylegan3-r": STYLEGAN3_R,
    "minimal": MINIMAL,
    "r3gan": R3GAN,
}
_OTHERS = {"paper256": PAPER256, "paper512": PAPER512, "paper1024": PAPER1024, "cifar": CIFAR}
_IN_SIZES = {
    "progan": PROGAN_SIZES,
    "stylegan1": STYLEGAN1_SIZES,
    "stylegan3-t": STYLEGAN3_T_SIZES,
    "stylegan3-r": STYLEGAN3_R_SIZES,
    "minimal": MINIMAL_SIZES,
    "r3gan": R3GAN_SIZES,
}
PRESETS = {
    **GENERATIONS,
    **_OTHERS,
    **STYLEGAN2_SIZES,
    **{f"{generation}-{size}": p for generation, sizes in _IN_SIZES.items() for size, p in sizes.items()},
}
NAMES = ("auto", *GENERATIONS, *_OTHERS, *SIZES)

# Presets that follow the resolution and the number of devices.
_MADE_TO_MEASURE: dict[str, Callable[[int, int], Preset]] = {
    "auto": auto,
    "stylegan3-t": lambda resolution, gpus: stylegan3(STYLEGAN3_T, resolution),
    "stylegan3-r": lambda resolution, gpus: stylegan3(STYLEGAN3_R, resolution),
    "r3gan": lambda resolution, gpus: r3gan(resolution),
}


def preset(name: str, resolution: int, gpus: int = 1) -> Preset:
    """Return the preset `name` for images of `resolution` pixels per side on `gpus` devices.

    Raises: ConfigError for an unknown name, or a preset that is made for another resolution.
    """
    if name in _MADE_TO_MEASURE:
        return _MADE_TO_MEASURE[name](resolution, gpus)
    if name not in PRESETS:
        raise ConfigError(
            f"`cfg` must be one of {', '.join(NAMES)}, or a generation with a size such as stylegan3-t-cpu32, "
            f"got {name!r}."
        )
    found = PRESETS[name]
    if found.resolution not in (None, resolution):
        raise ConfigError(
            f"`cfg` {name} is made for {found.resolution} px, but the data has {resolution}; prepare the images at "
            f"`resolution` {found.resolution}, or choose another `cfg`."
        )
    return found


def default_cfg(resolution: int, device_type: str) -> str:
    """Return the name of the preset for images of `resolution` pixels on a device such as "cpu" or "cuda"."""
    sizes = {size.resolution: name for name, size in SIZES.items()}
    return sizes.get(resolution, "auto") if device_type == "cpu" else "auto"
