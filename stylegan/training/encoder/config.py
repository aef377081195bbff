"""The complete settings of the training of an encoder; config.json of its run holds them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from stylegan.errors import ConfigError
from stylegan.inversion.tasks import TASKS, Task
from stylegan.training.config import Frozen, build

WARM_UP = 0.05  # part of the run in which the learning rate rises


class EncoderConfig(Frozen):
    """All settings of the training of an encoder."""

    kind: Literal["encoder"] = "encoder"  # runs of networks have none
    network: str  # a checkpoint, a run, or the name of a bundled network
    data: str | None = None  # a data set of images to train on beside those of the network
    inputs: str | None = None  # a data set of the same names, whose images are the inputs of labels and pairs
    task: str = "image"
    input_px: int = Field(default=8, ge=1)  # pixels per side of the input of superres
    space: Literal["w", "w+"] = "w+"
    label: str | None = None  # of the network's images, for a network with labels; None draws classes at random
    passes: int = Field(default=2, ge=1)  # changes of the first latent
    examples: int = Field(default=2500, ge=0)  # images of the network from which the first latent is estimated

    kimg: float = Field(default=16, gt=0)  # thousands of images to train on
    batch: int = Field(default=8, ge=1)
    lr: float = Field(default=0.003, gt=0)  # at its highest; a cosine leads to 0
    adam_betas: tuple[float, float] = (0.9, 0.99)
    own_share: float = Field(default=0.5, ge=0, le=1)  # of the network's images in a batch, beside those of `data`
    mixing_prob: float = Field(default=0.5, ge=0, le=1)  # of the network's images that mix two w, in W+
    latent_weight: float = Field(default=0.2, ge=0)  # of the squared error of w, 1 for that of the mean
    pixel_weight: float = Field(default=1, ge=0)  # of the mean squared difference of pixels
    perceptual_weight: float = Field(default=1, ge=0)
    w_weight: float = Field(default=0.02, ge=0)  # of the squared distance of w from its mean, where w is not known

    tick_kimg: float = Field(default=1, ge=0.001)  # between two ticks
    snap_ticks: int = Field(default=4, ge=1)  # ticks between two snapshots
    keep_snapshots: Annotated[int, Field(ge=1)] | Literal["all"] = 3  # that can be resumed
    seed: int = Field(default=0, ge=0, lt=2**32)
    device: str = "auto"

    @model_validator(mode="after")
    def _fits(self) -> EncoderConfig:
        if self.task not in TASKS:
            raise ValueError(f"`task` is one of {', '.join(TASKS)}, got {self.task!r}")
        paired = Task(name=self.task).paired
        if paired and (self.data is None or self.inputs is None):
            raise ValueError(
                f"the task {self.task} needs pairs of images; name the images with `data`, and the inputs of the same "
                "file names with `inputs`"
            )
        if self.inputs is not None and not paired:
            raise ValueError(f"the inputs of the task {self.task} are made from images; leave out `inputs`")
        if not all(0 <= beta < 1 for beta in self.adam_betas):
            raise ValueError(f"`adam_betas` must be in [0, 1), got {self.adam_betas}")
        return self

    @property
    def own(self) -> int:
        """Images of the network in a batch."""
        if self.data is None:
            return self.batch
        return 0 if Task(name=self.task).paired else round(self.own_share * self.batch)

    @property
    def summary(self) -> str:
        """The settings that the page of the run shows."""
        data = f" and {Path(self.data).stem}" if self.data else ""
        return f"encoder of {Path(self.network).name}{data}, task {self.task}, space {self.space}, batch {self.batch}"

    @property
    def title(self) -> str:
        """The name of the folder of the run, without its number."""
        return f"encoder-{self.task}-{Path(self.network).name}-batch{self.batch}"

    def learning_rate(self, nimg: int) -> float:
        """Return the learning rate after `nimg` images: half a cosine down to 0, times a ramp up."""
        t = min(nimg / (1000 * self.kimg), 1)
        return self.lr * min(1, (t + 1e-3) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * t))

    def to_json(self) -> str:
        """Return the content of config.json."""
        return self.model_dump_json(indent=2) + "\n"


def encoder_config(settings: dict[str, Any]) -> EncoderConfig:
    """Return complete settings. Raises: ConfigError for impossible ones."""
    return build(EncoderConfig, settings)


def read_encoder_config(run: Path) -> EncoderConfig:
    """Read the settings of the run of an encoder. Raises: ConfigError if it is none, or cannot be read."""
    path = run / "config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not the configuration of a run: {error}.") from error
    if not isinstance(settings, dict) or settings.get("kind") != "encoder":
        raise ConfigError(f"{run} is not the run of an encoder; name the folder that `train-encoder` made.")
    return encoder_config(settings)
