"""Named configurations: networks with the training settings that they were tuned with.

A name is a generation (`stylegan3-t`), a size for a CPU, which is a StyleGAN2 (`cpu32`), or both
(`stylegan3-t-cpu32`). Generations and the other names have the settings of the papers; the sizes are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stylegan.errors import ConfigError

Settings = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One configuration, apart from what the data dictates."""

    architecture: str = "stylegan2"  # see `networks.family`
    resolution: int | None = None  # pixels per side that it is made for; None for any
    generator: Settings = field(default_factory=dict)  # arguments of the networks
    discriminator: Settings = field(default_factory=dict)
    training: Settings = field(default_factory=dict)  # fields of `TrainConfig`

    def but(
        self,
        *,
        architecture: str | None = None,
        resolution: int | None = None,
        both: Settings | None = None,
        generator: Settings | None = None,
        discriminator: Settings | None = None,
        **training: Any,
    ) -> Preset:
        """The same with some settings changed; `both` is of both networks."""
        return Preset(
            architecture=architecture or self.architecture,
            resolution=resolution or self.resolution,
            generator={**self.generator, **(both or {}), **(generator or {})},
            discriminator={**self.discriminator, **(both or {}), **(discriminator or {})},
            training={**self.training, **training},
        )


_MIXED_PRECISION = {"num_fp16_res": 4, "conv_clamp": 256.0}
_LARGE = {"channel_base": 32768, "channel_max": 512}

# Trained on 8 GPUs, of which each computed batch / 8 images at once. Fewer devices accumulate.
STYLEGAN2 = Preset(
    generator={"z_dim": 512, "w_dim": 512, "mapping_layers": 8, **_LARGE, **_MIXED_PRECISION},
    discriminator={**_LARGE, **_MIXED_PRECISION, "mbstd_group_size": 4, "architecture": "resnet"},
    training={
        "batch": 32,  # images per step, over all devices
        "micro_batch": 4,  # images that one device computes at once
        "g_lr": 0.002,
        "d_lr": 0.002,
        "r1_gamma": 10.0,
        "pl_weight": 2.0,
        "style_mixing_prob": 0.9,
        "ema_kimg": 10.0,
        "augment": {"mode": "ada"},
        "kimg": 25000.0,
        "tick_kimg": 4.0,
        "snap_ticks": 50,
    },
)
_FAST: Settings = {"g_lr": 0.0025, "d_lr": 0.0025, "batch": 64}
PAPER512 = STYLEGAN2.but(discriminator={"mbstd_group_size": 8}, **_FAST, micro_batch=8, r1_gamma=0.5, ema_kimg=20.0)
PAPER256 = PAPER512.but(both={"channel_base": 16384}, r1_gamma=1.0)
PAPER1024 = STYLEGAN2.but(r1_gamma=2.0)
CIFAR = STYLEGAN2.but(
    generator={"mapping_layers": 2},
    discriminator={"architecture": "orig", "mbstd_group_size": 32},
    **_FAST,
    micro_batch=32,
    r1_gamma=0.01,
    ema_kimg=500.0,
    ema_rampup=0.05,
    pl_weight=0.0,
    style_mixing_prob=0.0,
    kimg=100000.0,
)

# StyleGAN3 App. E. R1 follows the resolution, see `preset`; the other regularizers are gone.
STYLEGAN3_T = STYLEGAN2.but(
    architecture="stylegan3",
    generator={"mapping_layers": 2},
    g_lr=0.0025,
    pl_weight=0.0,
    pl_interval=1,
    style_mixing_prob=0.0,
    ema_rampup=0.05,
)
STYLEGAN3_R = STYLEGAN3_T.but(
    generator={"conv_kernel": 1, "use_radial_filters": True, "channel_base": 65536, "channel_max": 1024},
    blur={"init_sigma": 10.0, "fade_kimg": 200.0},
)

# ProGAN App. A, on 8 GPUs. Equal networks but for blur, styles and noise make StyleGAN1.
_GROWING = {
    "training_kimg": 600.0,
    "transition_kimg": 600.0,
    "batch": {4: 512, 8: 256, 16: 128, 32: 64},
    "lr": {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003},
}
_HALF = {"channel_base": 16384, "channel_max": 512}
_GROWN: Settings = {  # no lazy regularization yet
    "g_lr": 0.001,
    "d_lr": 0.001,
    "pl_weight": 0.0,
    "pl_interval": 1,
    "r1_interval": 1,
    "augment": {"mode": "noaug"},
}
PROGAN = Preset(
    architecture="progan",
    generator={"z_dim": 512, **_HALF},
    discriminator={**_HALF, "mbstd_group_size": 4},
    training={
        **STYLEGAN2.training,
        **_GROWN,
        "objective": "wasserstein_gp",
        "r1_gamma": 0.0,
        "style_mixing_prob": 0.0,
        "ema_beta": 0.999,
        "kimg": 12000.0,
        "growing": {**_GROWING, "initial_resolution": 4},
    },
)
STYLEGAN1 = PROGAN.but(
    architecture="stylegan1",
    generator={"w_dim": 512, "mapping_layers": 8},
    objective="logistic",
    r1_gamma=10.0,
    style_mixing_prob=0.9,
    ema_beta=None,
    kimg=25000.0,
    growing={**_GROWING, "initial_resolution": 8},
)

# The specification's networks see images in [0, 1]. In ours, [-1, 1], slopes of D are half and those of G twice as
# steep, so gamma 10 becomes 40 and the weight 1 of the path length a quarter.
MINIMAL = Preset(
    architecture="minimal",
    generator={"z_dim": 512, "w_dim": 512, "mapping_layers": 8, "n_features": 32, "max_features": 512},
    discriminator={"n_features": 64, "max_features": 512},
    training={
        **STYLEGAN2.training,
        "objective": "hinge",
        "micro_batch": 32,
        "g_lr": 0.001,
        "d_lr": 0.001,
        "mapping_lr": 0.00001,
        "clip_norm": 1.0,
        "separate_regularization": False,
        "r1_gamma": 40.0,
        "r1_interval": 4,
        "path_length": "previous_mean",
        "pl_weight": 0.25 / 32,
        "pl_interval": 32,
        "pl_start": 5000,
        "pl_batch_shrink": 1,
        "augment": {"mode": "noaug"},
    },
)

GENERATIONS = {
    "progan": PROGAN,
    "stylegan1": STYLEGAN1,
    "stylegan2": STYLEGAN2,
    "stylegan3-t": STYLEGAN3_T,
    "stylegan3-r": STYLEGAN3_R,
    "minimal": MINIMAL,
}


@dataclass(frozen=True, kw_only=True)
class Size:
    """What makes a generation small enough for a CPU."""

    resolution: int
    latent: int  # width of z and w
    channel_base: int
    channel_max: int
    batch: int
    gamma: float  # with much less, the discriminator of so small a network wins at once
    layers: int  # of StyleGAN3,
    margin: int  # and what it draws around the image, in samples
    phase_kimg: float  # of growing: as long at a resolution as between two
    kimg: float = 1000.0

    def of(self, generation: Preset) -> Preset:
        """That generation in this size."""
        training: Settings = {
            "batch": self.batch,  # small: what a CPU lacks is steps
            "micro_batch": self.batch,
            "g_lr": 0.0025,
            "d_lr": 0.0025,
            "augment": {"mode": "noaug"},  # costs steps; worth asking for below a few thousand images
            "ema_kimg": 5.0,
            "ema_rampup": 0.05,
            "ema_beta": None,
            "kimg": self.kimg,
            "tick_kimg": 1.0,
            "snap_ticks": 20,
        }
        if generation.training["r1_gamma"] > 0 and generation.architecture != "minimal":
            training["r1_gamma"] = self.gamma
        generator: Settings = {"z_dim": self.latent}
        both: Settings = {"channel_base": self.channel_base, "channel_max": self.channel_max}
        if "w_dim" in generation.generator:
            generator |= {"w_dim": self.latent, "mapping_layers": 2}
        if "growing" in generation.training:
            both |= _MIXED_PRECISION
            training["growing"] = {
                "initial_resolution": generation.training["growing"]["initial_resolution"],
                "training_kimg": self.phase_kimg,
                "transition_kimg": self.phase_kimg,
            }
        if generation.architecture == "stylegan3":
            generator |= {"num_layers": self.layers, "margin_size": self.margin}
            scale = generation.generator["channel_max"] // 512  # R has 1x1 kernels and twice the channels
            generator |= {"channel_base": self.channel_base * scale, "channel_max": self.channel_max * scale}
            if "blur" in generation.training:
                training["blur"] = {"init_sigma": 10.0 * self.resolution / 256, "fade_kimg": 2 * self.phase_kimg}
        if generation.architecture == "minimal":
            del training["g_lr"], training["d_lr"]
            both = {"n_features": self.channel_base // self.resolution, "max_features": self.channel_max}
        return generation.but(resolution=self.resolution, both=both, generator=generator, **training)


SIZES = {
    "cpu64": Size(
        resolution=64,
        latent=256,
        channel_base=4096,
        channel_max=256,
        batch=16,
        gamma=2.0,
        layers=10,
        margin=10,
        phase_kimg=40,
    ),
    "cpu32": Size(
        resolution=32,
        latent=128,
        channel_base=2048,
        channel_max=128,
        batch=16,
        gamma=1.0,
        layers=6,
        margin=6,
        phase_kimg=10,
    ),
    "tiny16": Size(
        resolution=16,
        latent=32,
        channel_base=256,
        channel_max=32,
        batch=8,
        gamma=1.0,
        layers=4,
        margin=4,
        phase_kimg=0.032,
        kimg=10.0,
    ),
}

PRESETS = {
    **GENERATIONS,
    "paper256": PAPER256,
    "paper512": PAPER512,
    "paper1024": PAPER1024,
    "cifar": CIFAR,
    **{name: size.of(STYLEGAN2) for name, size in SIZES.items()},
    **{
        f"{generation}-{name}": size.of(preset)
        for generation, preset in GENERATIONS.items()
        if generation != "stylegan2"
        for name, size in SIZES.items()
    },
}
NAMES = (
    "auto",
    *GENERATIONS,
    "paper256",
    "paper512",
    "paper1024",
    "cifar",
    *SIZES,
)


def preset(name: str, resolution: int, gpus: int = 1) -> Preset:
    """The preset `name` for images of `resolution` pixels per side on `gpus` devices.

    Raises: ConfigError for an unknown name, or a preset that is made for another resolution.
    """
    if name == "auto":
        return _auto(resolution, gpus)
    if name not in PRESETS:
        raise ConfigError(
            f"cfg must be one of {', '.join(NAMES)}, or a generation with a size such as stylegan3-t-cpu32, "
            f"got {name!r}."
        )
    found = PRESETS[name]
    if found.resolution not in (None, resolution):
        raise ConfigError(
            f"cfg {name} is made for {found.resolution} px, but the data has {resolution}; prepare the images at "
            f"`resolution` {found.resolution}, or choose another `cfg`."
        )
    if found.architecture == "stylegan3" and found.resolution is None:
        return found.but(r1_gamma=32.0 * (resolution / 1024) ** 2)  # at batch 32, StyleGAN3 App. E
    return found


def auto_gamma(resolution: int, batch: int) -> float:
    """A first guess at the weight of R1, which grows with the number of pixels. StyleGAN2-ADA App. C."""
    return 0.0002 * resolution**2 / batch


def _auto(resolution: int, gpus: int) -> Preset:
    """Batch, learning rate and gamma from the resolution and the number of devices."""
    batch = max(min(gpus * min(4096 // resolution, 32), 64), gpus)
    lr = 0.002 if resolution >= 1024 else 0.0025
    return STYLEGAN2.but(
        both={"channel_base": 32768 if resolution >= 512 else 16384},
        generator={"mapping_layers": 2},
        discriminator={"mbstd_group_size": min(batch // gpus, 4)},
        batch=batch,
        micro_batch=batch // gpus,
        g_lr=lr,
        d_lr=lr,
        r1_gamma=auto_gamma(resolution, batch),
        ema_kimg=batch * 10 / 32,
        ema_rampup=0.05,
    )
