"""Requests of the Bend tab: changed feature maps and blended networks."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stylegan.editing import bend
from stylegan.sampling.latents import MAX_SEED
from stylegan.studio.requests import MAX_IMAGES, Drawing, Point

Channel = Annotated[int, Field(ge=0, lt=bend.MAX_CHANNELS)]


def _within(name: str, otherwise: float, description: str) -> float:
    low, high = bend.BOUNDS[name]
    found: float = Field(otherwise, ge=low, le=high, description=description)
    return found


class Bend(BaseModel):
    """A change of the feature maps of one layer, see `stylegan.editing.Bend`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    layer: str = Field(max_length=100, description='One of the names in "bendable" of the network.')
    channels: list[Channel] | None = Field(None, min_length=1, max_length=1024, description="All by default.")
    x: float = _within("x", 0.0, "Shift to the right, in image widths.")
    y: float = _within("y", 0.0, "Shift down, in image widths.")
    turn: float = _within("turn", 0.0, "Counter-clockwise, in degrees.")
    zoom: float = _within("zoom", 1.0, "Factor on the size.")
    multiply: float = _within("multiply", 1.0, "Factor on the values.")
    noise: float = _within("noise", 0.0, "Deviation of added noise, in deviations of each map.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Of the noise.")

    def bend(self) -> bend.Bend:
        """Return the bend of the library."""
        values = self.model_dump()
        return bend.Bend(**{**values, "channels": None if self.channels is None else tuple(self.channels)})


class Blend(BaseModel):
    """Another network of the same architecture, towards which layers move."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    network: str = Field(max_length=200, description="A name that /v1/networks lists.")
    alpha: float = Field(1.0, ge=0, le=1, description="0 keeps the layers, 1 takes those of the other network.")
    layers: str | None = Field(None, max_length=500, description="coarse, middle, fine, or 0-6,9; all by default.")


class BendImages(Drawing):
    """Draw images with changed feature maps, of a network that may be blended with another one."""

    seeds: list[Point] = Field(min_length=1, max_length=MAX_IMAGES)
    bends: list[Bend] = Field(default_factory=list, max_length=bend.MAX_BENDS)
    blend: Blend | None = None


class Features(Drawing):
    """Draw the feature maps of one layer as gray images, each from its smallest to its largest value."""

    seed: Point
    layer: str = Field(max_length=100)
    first: int = Field(0, ge=0, lt=bend.MAX_CHANNELS, description="Number of the first channel.")
    count: int = Field(64, ge=1, le=256, description="Channels to draw at most.")
    bends: list[Bend] = Field(default_factory=list, max_length=bend.MAX_BENDS)
    blend: Blend | None = None


class SaveBlend(BaseModel):
    """Add a blended network to those of the studio."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    network: str = Field(max_length=200)
    blend: Blend
    name: str = Field("blend", pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}$")
