"""StyleGAN3 (App. E). R1 follows the resolution, see `stylegan3`; the other regularizers are gone."""

from __future__ import annotations

from dataclasses import replace

from stylegan.training.presets.preset import Blur, Network, Preset
from stylegan.training.presets.sizes import SIZES
from stylegan.training.presets.stylegan2 import STYLEGAN2

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
