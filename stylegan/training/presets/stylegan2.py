"""StyleGAN2 and StyleGAN2-ADA, trained on 8 GPUs with batch / 8 images at once on each; fewer GPUs accumulate."""

from __future__ import annotations

from dataclasses import replace

from stylegan.training.config import AugmentConfig
from stylegan.training.presets.preset import Network, Preset
from stylegan.training.presets.sizes import SIZES

LARGE = Network(channel_base=32768, channel_max=512)
HALF = Network(channel_base=16384, channel_max=512)
MIXED_PRECISION = Network(num_fp16_res=4, conv_clamp=256.0)

STYLEGAN2 = Preset(
    generator=Network(z_dim=512, w_dim=512, mapping_layers=8) | LARGE | MIXED_PRECISION,
    discriminator=LARGE | MIXED_PRECISION | Network(mbstd_group_size=4, architecture="resnet"),
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
    PAPER512, generator=PAPER512.generator | HALF, discriminator=PAPER512.discriminator | HALF, r1_gamma=1.0
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
    channels = LARGE if resolution >= 512 else HALF
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
