"""The content of a checkpoint, independent of its file format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

from stylegan.errors import CheckpointError, ConfigError
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.settings import Fraction, Settings, Text, Whole


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


@dataclass(frozen=True)
class Facts(Settings):
    """Statements of a file on its networks: the fields of `Checkpoint` that are no network, with their bounds."""

    augment_p: Fraction = 0.0
    nimg: Annotated[int, Whole(0, 2**53)] | None = None
    origin: Annotated[str, Text(10_000)] | None = None
    licence: Annotated[str, Text(1000)] | None = None


def facts(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Facts` among what a file states; those that it leaves out get their defaults.

    Raises: CheckpointError for a value of another type or out of bounds.
    """
    try:
        return asdict(Facts(**{field.name: stated[field.name] for field in fields(Facts) if field.name in stated}))
    except ConfigError as error:
        raise CheckpointError(str(error).rstrip(".")) from error
