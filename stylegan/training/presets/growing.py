"""ProGAN (App. A) and StyleGAN1, on 8 GPUs. Both grow, and regularize in every step."""

from __future__ import annotations

from dataclasses import replace

from stylegan.training.config import AugmentConfig, GrowingConfig
from stylegan.training.presets.preset import Network, Preset
from stylegan.training.presets.sizes import SIZES
from stylegan.training.presets.stylegan2 import HALF, MIXED_PRECISION, STYLEGAN2

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
    generator=Network(z_dim=512) | HALF,
    discriminator=HALF | Network(mbstd_group_size=4),
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
        generator=small.generator | MIXED_PRECISION,
        discriminator=small.discriminator | MIXED_PRECISION,
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
