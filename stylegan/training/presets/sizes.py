"""Sizes for a CPU: what presets of all generations change to learn within hours on a few cores."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stylegan.training.config import AugmentConfig
from stylegan.training.presets.preset import Network, Preset


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
