"""The minimal StyleGAN2 of the specification.

Its networks see images in [0, 1]. In ours, [-1, 1], slopes of D are half as steep and those of G twice, so gamma 10
becomes 40 and the weight 1 of the path length a quarter.
"""

from __future__ import annotations

from dataclasses import replace

from stylegan.training.config import AugmentConfig
from stylegan.training.presets.preset import Network, Preset
from stylegan.training.presets.sizes import SIZES
from stylegan.training.presets.stylegan2 import STYLEGAN2

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
