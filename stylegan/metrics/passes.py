"""Long passes over batches, which a later process continues where an earlier one was interrupted.

What a process has found is written to a file of the cache folder now and then, so that whatever ends it, a kill too,
costs less than a minute. The name of the file is a hash of all that the numbers depend on, so that any change begins a
new pass.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from stylegan.errors import OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.warn_once import warn_once
from stylegan.metrics.frechet import FeatureStatistics

EVERY_S = 20.0  # seconds between two writes at least; a shorter pass writes nothing
_COST = 20  # seconds without a write after one that took a second
_KEPT_DAYS = 7  # after which an interrupted pass is removed
_BLOCK = 512  # rows that are summed at once: the sums of a few rows would cost more to load than to add


class Found(Protocol):
    """Findings of a pass in the batches so far."""

    @property
    def done(self) -> int:
        """The number of batches whose rows are in `tensors`."""

    def add(self, rows: Tensor) -> None:
        """Add the rows of the next batch, [N, F]."""

    def tensors(self) -> dict[str, Tensor]:
        """Return the findings in the batches that are `done`, by name."""


class Rows:
    """The rows of all batches."""

    def __init__(self, kept: Mapping[str, Tensor]):
        self._before = int(kept["done"]) if kept else 0
        self._parts = [kept["x"]] if kept else []
        self._kept = len(self._parts)

    @property
    def done(self) -> int:
        return self._before + len(self._parts) - self._kept

    def add(self, rows: Tensor) -> None:
        self._parts.append(rows.detach().cpu())

    def tensors(self) -> dict[str, Tensor]:
        return {"x": torch.cat(self._parts)} if self._parts else {}


class Sums:
    """The statistics of the rows of all batches."""

    def __init__(self, feature_dim: int, kept: Mapping[str, Tensor]):
        before = FeatureStatistics.of_tensors(kept) if kept else FeatureStatistics.none(feature_dim)
        self._state = (int(kept["done"]) if kept else 0, before)  # replaced as a whole, whatever interrupts it
        self._waiting: list[Tensor] = []

    @property
    def done(self) -> int:
        return self._state[0]

    def add(self, rows: Tensor) -> None:
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= _BLOCK:
            self._sum()

    def total(self) -> FeatureStatistics:
        """The statistics of all rows that were added."""
        if self._waiting:
            self._sum()
        return self._state[1]

    def tensors(self) -> dict[str, Tensor]:
        return self._state[1].tensors()

    def _sum(self) -> None:
        done, total = self._state
        self._state = (done + len(self._waiting), total + FeatureStatistics.of(torch.cat(self._waiting)))
        self._waiting = []


class KeptPasses(dict[Any, Any]):
    """Features by key, which several metrics of the same network, data and seed share.

    As a context, it removes the files of its passes once all metrics have been measured. If one fails or is
    interrupted, they stay, so that the next process draws none of these images again.

    Args:
        features: a later metric needs the features of all real images, so statistics are computed from these.
    """

    def __init__(self, files: list[Path] | None = None, *, features: bool = False) -> None:
        super().__init__()
        self.files: list[Path] = [] if files is None else files
        self.features = features

    def of_another_subject(self) -> KeptPasses:
        """Return an empty one whose files are removed with these."""
        return KeptPasses(self.files)

    def __enter__(self) -> KeptPasses:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.remove()

    def remove(self, first: int = 0) -> None:
        """Remove the files of its passes, except for the `first` ones."""
        for file in self.files[first:]:
            with suppress(OSError):
                file.unlink(missing_ok=True)
        del self.files[first:]


def pass_file(cache: Path, protocol: Iterable[object]) -> Path:
    """Return the file of the pass with this protocol, all that its numbers depend on, in a folder of the cache."""
    return cache / "passes" / f"{hashlib.sha256(repr(list(protocol)).encode()).hexdigest()[:32]}.safetensors"


def read_pass(file: Path | None) -> dict[str, Tensor]:
    """Return what an interrupted process left, with the number of its batches as "done"; empty for nothing."""
    try:
        return load_file(file) if file is not None else {}
    except (OSError, SafetensorError):
        return {}


def run_pass(found: Found, batches: Iterable[Tensor], file: Path | None) -> None:
    """Add the rows of the remaining batches to what was found, and write that to a file, if there is one."""
    if file is not None:
        _remove_old(file.parent)
    due = time.monotonic() + EVERY_S
    for rows in batches:
        found.add(rows)
        since = time.monotonic()
        if file is not None and since >= due:
            _write(found, file)
            due = time.monotonic() + max(EVERY_S, _COST * (time.monotonic() - since))


def _write(found: Found, file: Path) -> None:
    try:
        with atomic_file(file) as temporary:
            save_file({**found.tensors(), "done": torch.tensor(found.done)}, temporary)
    except (OutputError, SafetensorError) as error:
        warn_once(f"a measurement that is interrupted will begin again: {error}")


def _remove_old(folder: Path) -> None:
    """Remove the passes that were interrupted days ago and never continued."""
    with suppress(OSError):
        for file in folder.iterdir():
            if time.time() - os.stat(file).st_mtime > _KEPT_DAYS * 86400:
                file.unlink()
