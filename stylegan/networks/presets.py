"""Named configurations: network sizes with the training settings that they were tuned with.

`auto` and the paper presets are those of StyleGAN2-ADA (Karras et al. 2020b, App. C); the three small ones are ours,
for training on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stylegan.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One configuration. Networks first, then training."""

    resolution: int | None = None  # pixels per side that it is made for; None for any
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int
    channel_base: int
    channel_max: int = 512
    num_fp16_res: int = 4
    conv_clamp: float | None = 256.0
    d_architecture: str = "resnet"
    mbstd_group_size: int = 4
    batch: int  # pictures per step, over all devices
    micro_batch: int  # pictures that one device computes at once
    lr: float
    r1_gamma: float
    ema_kimg: float  # half-life of the averaged generator
    ema_rampup: float | None = None  # half-life at the start, as a share of the pictures seen so far
    pl_weight: float = 2.0
    style_mixing_prob: float = 0.9
    aug: str = "ada"  # adaptive augmentation, or "noaug"
    kimg: float = 25000.0
    tick_kimg: float = 4.0
    snap_ticks: int = 50

    def generator_args(self) -> dict:
        """Arguments of `stylegan2.Generator` besides the data's resolution, channels and labels."""
        names = ("z_dim", "w_dim", "mapping_layers", "channel_base", "channel_max", "num_fp16_res", "conv_clamp")
        return {name: getattr(self, name) for name in names}

    def discriminator_args(self) -> dict:
        """Arguments of `stylegan2.Discriminator` besides the data's resolution, channels and labels."""
        names = ("channel_base", "channel_max", "num_fp16_res", "conv_clamp", "mbstd_group_size")
        return {**{name: getattr(self, name) for name in names}, "architecture": self.d_architecture}


# Trained on 8 GPUs, of which each computed batch / 8 pictures at once. Fewer devices accumulate.
STYLEGAN2 = Preset(mapping_layers=8, channel_base=32768, batch=32, micro_batch=4, lr=0.002, r1_gamma=10, ema_kimg=10)
PAPER512 = Preset(
    mapping_layers=8,
    channel_base=32768,
    mbstd_group_size=8,
    batch=64,
    micro_batch=8,
    lr=0.0025,
    r1_gamma=0.5,
    ema_kimg=20,
)
PAPER256 = replace(PAPER512, channel_base=16384, r1_gamma=1)
PAPER1024 = replace(STYLEGAN2, r1_gamma=2)
CIFAR = Preset(
    mapping_layers=2,
    channel_base=32768,
    d_architecture="orig",
    mbstd_group_size=32,
    batch=64,
    micro_batch=32,
    lr=0.0025,
    r1_gamma=0.01,
    ema_kimg=500,
    ema_rampup=0.05,
    pl_weight=0,
    style_mixing_prob=0,
    kimg=100000,
)
CPU64 = Preset(
    resolution=64,
    z_dim=256,
    w_dim=256,
    mapping_layers=2,
    channel_base=4096,
    channel_max=256,
    batch=16,  # small: what a CPU lacks is steps
    micro_batch=16,
    lr=0.0025,
    aug="noaug",  # costs steps; worth asking for below a few thousand pictures
    r1_gamma=2,  # with much less, the discriminator of so small a network wins at once
    ema_kimg=5,
    ema_rampup=0.05,
    kimg=1000,
    tick_kimg=1,
    snap_ticks=20,
)
CPU32 = replace(CPU64, resolution=32, z_dim=128, w_dim=128, channel_base=2048, channel_max=128, r1_gamma=1)
TINY16 = replace(
    CPU32, resolution=16, z_dim=32, w_dim=32, channel_base=256, channel_max=32, batch=8, micro_batch=8, kimg=10
)

PRESETS = {
    "stylegan2": STYLEGAN2,
    "paper256": PAPER256,
    "paper512": PAPER512,
    "paper1024": PAPER1024,
    "cifar": CIFAR,
    "cpu64": CPU64,
    "cpu32": CPU32,
    "tiny16": TINY16,
}
NAMES = ("auto", *PRESETS)


def preset(name: str, resolution: int, gpus: int = 1) -> Preset:
    """The preset `name` for pictures of `resolution` pixels per side on `gpus` devices.

    Raises: ConfigError for an unknown name, or a preset that is made for another resolution.
    """
    if name == "auto":
        return _auto(resolution, gpus)
    if name not in PRESETS:
        raise ConfigError(f"cfg must be one of {', '.join(NAMES)}, got {name!r}.")
    found = PRESETS[name]
    if found.resolution not in (None, resolution):
        raise ConfigError(
            f"cfg {name} is made for {found.resolution} px, the data has {resolution}; prepare it with "
            f"`stylegan dataset --resolution {found.resolution}x{found.resolution}` or choose another cfg."
        )
    return found


def auto_gamma(resolution: int, batch: int) -> float:
    """A first guess at the weight of R1, which grows with the number of pixels. StyleGAN2-ADA App. C."""
    return 0.0002 * resolution**2 / batch


def _auto(resolution: int, gpus: int) -> Preset:
    """Batch, learning rate and gamma from the resolution and the number of devices."""
    batch = max(min(gpus * min(4096 // resolution, 32), 64), gpus)
    return Preset(
        mapping_layers=2,
        channel_base=32768 if resolution >= 512 else 16384,
        mbstd_group_size=min(batch // gpus, 4),
        batch=batch,
        micro_batch=batch // gpus,
        lr=0.002 if resolution >= 1024 else 0.0025,
        r1_gamma=auto_gamma(resolution, batch),
        ema_kimg=batch * 10 / 32,
        ema_rampup=0.05,
    )
