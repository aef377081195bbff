"""Requests of the studio: every value is checked for its type and range before anything is computed.

The names and the meanings are those of the library. `Session` takes these objects; the HTTP API reads them from JSON.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from stylegan.sampling.latents import MAX_SEED

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
LatentId = Annotated[str, Field(pattern=r"^latent:[0-9a-f]{16}$", description="A latent that /v1/latents lists.")]


def _kind(value: Any) -> str:
    return "latent" if isinstance(value, str) else "seed"


Point = Annotated[Annotated[Seed, Tag("seed")] | Annotated[LatentId, Tag("latent")], Discriminator(_kind)]
Psi = Annotated[float, Field(ge=-10, le=10)]
MAX_IMAGES = 64  # of one call
MAX_SIDE = 16  # seeds per side of a mixing matrix
MAX_FRAMES = 3600  # of a loop


class Drawing(BaseModel):
    """The manner in which a network draws; the same for all images of a request."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    network: str = Field(max_length=200, description="A name that /v1/networks lists.")
    psi: Psi = Field(1.0, description="Truncation: 0 is the average image, 1 the full variety, more exaggerates.")
    cutoff: int | None = Field(None, ge=0, le=1000, description="Number of layers to truncate; all by default.")
    label: str | None = Field(None, max_length=2000, description="Class or label vector, for a network with labels.")
    center: Literal["global", "class"] = Field("global", description="The average that truncation moves towards.")
    noise_mode: Literal["const", "random", "none"] = "const"
    translate: list[Annotated[float, Field(ge=-10, le=10)]] = Field(
        [0.0, 0.0], min_length=2, max_length=2, description="Shift of a StyleGAN3, right and down, in image widths."
    )
    rotate: float = Field(0.0, ge=-360, le=360, description="Rotation of a StyleGAN3, counter-clockwise, in degrees.")

    @property
    def moves(self) -> bool:
        """True if the images are shifted or rotated."""
        return bool(any(self.translate) or self.rotate)


class Generate(Drawing):
    """Draw one image per seed, or per latent that the studio keeps: 3 or "latent:0123456789abcdef"."""

    seeds: list[Point] = Field(min_length=1, max_length=MAX_IMAGES)


class Walk(Drawing):
    """Draw images on the way from seed to seed: 2.25 is a quarter of the way from seed 2 to seed 3, in w."""

    start: float = Field(ge=0, le=MAX_SEED)
    step: float = Field(ge=-10, le=10)
    frames: int = Field(ge=1, le=MAX_IMAGES)


class Mix(Drawing):
    """Draw a matrix in which each row seed takes the styles of some layers from each column seed."""

    rows: list[Point] = Field(min_length=1, max_length=MAX_SIDE)
    cols: list[Point] = Field(min_length=1, max_length=MAX_SIDE)
    styles: str = Field("coarse", max_length=500, description="coarse, middle, fine, or layers such as 0-6,9.")


class Interpolate(Drawing):
    """Draw a seamless loop through several seeds."""

    seeds: list[Point] = Field(min_length=2, max_length=MAX_IMAGES)
    frames: int = Field(30, ge=1, le=MAX_FRAMES, description="Images from one seed to the next.")
    space: Literal["w", "z", "circle"] = Field("w", description="circle is a noise loop of an even number of seeds.")
    easing: Literal["linear", "smooth"] = "linear"
    fps: float = Field(30.0, ge=1, le=120)
    format: Literal["webp", "gif", "mp4"] = "webp"


class Dance(BaseModel):
    """Draw a video that an uploaded song drives."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)  # not strict: read from a query string

    network: str = Field(max_length=200)
    seeds: Annotated[str, Field(max_length=800, pattern=r"^\d{1,10}(,\d{1,10}){1,63}$", description="Such as 0,1,2,3.")]
    psi: Psi = 1.0
    label: str | None = Field(None, max_length=2000)
    fps: float = Field(30.0, ge=1, le=60)
    drive: float = Field(2.0, ge=0, le=20, description="Seeds a second that the loudest bass adds.")
    pulse: float = Field(0.4, ge=0, le=3, description="How far an onset moves the image from the average.")


class Project(BaseModel):
    """Search for the latent whose image is closest to an uploaded one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)  # not strict: read from a query string

    network: str = Field(max_length=200)
    fit: Literal["crop", "pad", "face"] = Field("crop", description="How the image becomes square.")
    space: Literal["w", "w+", "f"] = "w+"
    steps: int = Field(300, ge=1, le=5000)
    label: str | None = Field(None, max_length=2000)
    examples: int = Field(1000, ge=0, le=2000, description="Random images from which the start is estimated.")


class Prepare(BaseModel):
    """Make a data set of equal square images from one that the studio offers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80, description="Name of the new data set.")
    resolution: Literal[16, 32, 64, 128, 256, 512, 1024]


class Train(BaseModel):
    """Train a network in a process of its own."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    data: str = Field(max_length=200, description="A name that /v1/data lists.")
    cfg: str | None = Field(None, max_length=40, description="A preset; by default one that suits images and device.")
    kimg: float = Field(gt=0, le=1_000_000, description="Length, in thousands of images.")
    labels: bool = Field(False, description="Train conditionally on the labels of the data.")
    mirror: bool = Field(False, description="Add every image flipped left to right.")
    augment: Literal["noaug", "ada", "diffaugment"] | None = None
    tick_kimg: float | None = Field(None, gt=0, le=1000, description="Thousands of images between two ticks.")
    snap_ticks: int | None = Field(None, ge=1, le=100_000, description="Ticks between two snapshots.")
    start_from: str | None = Field(
        None, max_length=200, description="A network whose weights the training starts from."
    )
    keep: bool = Field(False, description="Continue to train when the studio ends.")


class Resume(BaseModel):
    """Resume a run."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    run: str = Field(max_length=200, description="A name that /v1/runs lists.")
    kimg: float | None = Field(None, gt=0, le=1_000_000, description="Another length, in thousands of images.")
    keep: bool = Field(False, description="Continue to train when the studio ends.")


class LiveChange(BaseModel):
    """Change the live image; what is not given stays as it is. The fields of a drawing mean the same as elsewhere."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    network: str = Field("", max_length=200)
    psi: Psi = 1.0
    cutoff: int | None = Field(None, ge=0, le=1000)
    label: str | None = Field(None, max_length=2000)
    center: Literal["global", "class"] = "global"
    noise_mode: Literal["const", "random", "none"] = "const"
    translate: list[Annotated[float, Field(ge=-10, le=10)]] = Field([0.0, 0.0], min_length=2, max_length=2)
    rotate: float = Field(0.0, ge=-360, le=360)
    seed: float = Field(0.0, ge=0, le=MAX_SEED, description="Place of the walk: 2.25 is between seeds 2 and 3.")
    speed: float = Field(0.5, ge=-10, le=10, description="Seeds per second.")
    loop: int = Field(0, ge=0, le=64, description="Seeds after which the walk returns to the first; 0 for never.")
    directions: dict[Annotated[str, Field(max_length=80)], Annotated[float, Field(ge=-10, le=10)]] = Field(
        {}, max_length=64, description="Strength of directions of the network, in standard deviations."
    )
