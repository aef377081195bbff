"""The settings of a run that its folder, page and lists show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from stylegan.errors import ConfigError


class Shown(Protocol):
    """The part of the settings of a run that its page shows."""

    @property
    def kimg(self) -> float: ...
    @property
    def summary(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """The settings of a run that its folder, page and lists show."""

    cfg: str  # the preset
    architecture: str  # the generation, one of `networks.family.ARCHITECTURES`
    data: str  # path or URL of the data set
    resolution: int  # pixels per side
    batch: int
    gamma: float  # weight of the R1 penalty
    precision: str
    kimg: float  # length of the run
    metrics: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The settings in a line."""
        return f"{Path(self.data).stem}, cfg {self.cfg}, batch {self.batch}, gamma {self.gamma:g}, {self.precision}"

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RunInfo:
        """Pick the settings from the content of a config.json. Raises: KeyError or TypeError if one is missing."""
        return cls(
            cfg=config["cfg"],
            architecture=config["architecture"],
            data=config["data"]["path"],
            resolution=config["generator"]["img_resolution"],
            batch=config["batch"],
            gamma=config["r1_gamma"],
            precision=config["precision"],
            kimg=config["kimg"],
            metrics=tuple(config["metrics"]),
        )


def read_info(run: Path | str) -> RunInfo:
    """Read the settings from the config.json of a run. Raises: ConfigError if it cannot be read."""
    path = Path(run) / "config.json"
    try:
        return RunInfo.from_config(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{path} is not the configuration of a run: {reason}.") from error
