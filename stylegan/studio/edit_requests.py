"""Requests of the Edit tab: edits, drags and directions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from stylegan.studio.requests import Drawing, Point

DirectionsId = Annotated[str, Field(pattern=r"^directions:[0-9a-f]{16}$")]
Coordinate = Annotated[float, Field(ge=0, le=16384)]
MAX_MASK = 60_000  # characters of a mask in base64: an image of two colors is small


class Move(BaseModel):
    """A direction, and how far to move along it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=100)
    strength: float = Field(
        ge=-100, le=100, description="In standard deviations of random w; negative is the opposite."
    )
    file: DirectionsId | None = Field(None, description="Kept directions; by default those that come with the network.")


class Edit(Drawing):
    """Move a latent along directions, after some of its layers were taken from another one."""

    start: Point = Field(description="A seed, or a latent that the studio keeps.")
    directions: list[Move] = Field(default_factory=list, max_length=64)
    mix: Point | None = Field(None, description="Gives `layers` their styles.")
    layers: str | None = Field(
        None, max_length=500, description="coarse, middle, fine, or 0-6,9: of `mix`; without it, those that move."
    )


class Pair(BaseModel):
    """A point of the image and where it goes, in pixels from the middle of the upper left one: [right, down]."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    handle: list[Coordinate] = Field(min_length=2, max_length=2)
    target: list[Coordinate] = Field(min_length=2, max_length=2)


class Drag(Drawing):
    """Move a latent until the points of its image are at their targets."""

    start: Point = Field(description="A seed, or a latent that the studio keeps.")
    points: list[Pair] = Field(min_length=1, max_length=32)
    mask: str | None = Field(
        None, max_length=MAX_MASK, description="Image of the network's size in base64, white where it may change."
    )
    method: Literal["freedrag", "draggan"] = "freedrag"
    space: Literal["w", "w+"] = "w+"
    steps: int = Field(300, ge=1, le=2000)


class Find(BaseModel):
    """Find directions without labels."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    network: str = Field(max_length=200)
    method: Literal["pca", "sefa"] = "pca"
    count: int = Field(8, ge=1, le=64)
    layers: str | None = Field(None, max_length=500, description="Layers that they move; all by default.")
    label: str | None = Field(None, max_length=2000)
