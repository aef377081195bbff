"""Projected GAN, which replaces the discriminator of any preset and its regularizers.

The blur is that of StyleGAN-XL.
"""

from __future__ import annotations

from dataclasses import replace

from stylegan.training.config import AugmentConfig
from stylegan.training.presets.preset import Blur, Network, Preset


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
