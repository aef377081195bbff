"""The content of a checkpoint, independent of its file format."""

from __future__ import annotations

from dataclasses import dataclass

from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The networks of a training run at one moment, on the CPU and in eval mode; a missing one is None."""

    G_ema: FamilyGenerator | None = None  # the averaged generator, for drawing
    G: FamilyGenerator | None = None
    D: FamilyDiscriminator | None = None
    augment_p: float = 0.0  # overall augmentation probability at that moment, 0 to 1; 0 without augmentation
    nimg: int | None = None  # number of real images shown to D by then; None if unknown
    origin: str | None = None  # source of the weights; None if unknown
    licence: str | None = None  # licence of the weights, not of this library; None if unknown

    @property
    def networks(self) -> dict[str, FamilyGenerator | FamilyDiscriminator]:
        """The networks that are not missing, by name."""
        found = {"G_ema": self.G_ema, "G": self.G, "D": self.D}
        return {name: network for name, network in found.items() if network is not None}
