"""What a checkpoint holds, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass

from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The networks of one moment of a training, on the CPU and in eval mode; one that the file lacks is None."""

    G_ema: FamilyGenerator | None = None  # the averaged generator: the one to draw with
    G: FamilyGenerator | None = None
    D: FamilyDiscriminator | None = None
    augment_p: float = 0.0  # overall augmentation probability at that moment, 0 without a pipe
    nimg: int | None = None  # real images that D had been shown by then, where that is known
    origin: str | None = None  # where the weights came from
    licence: str | None = None  # theirs, not this library's
