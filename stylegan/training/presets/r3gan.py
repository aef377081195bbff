"""R3GAN, on 8 GPUs, with R1 and R2 in every step. Most settings change along a cosine until the end."""

from __future__ import annotations

import math
from dataclasses import replace

from stylegan.training.config import AnnealConfig, AugmentConfig
from stylegan.training.presets.preset import Network, Preset
from stylegan.training.presets.sizes import SIZES
from stylegan.training.presets.stylegan2 import STYLEGAN2

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
