"""Optional output files: training continues when they cannot be written."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class BestEffort:
    """Turns errors of the disk into one warning for each kind of file."""

    def __init__(self) -> None:
        self._reported: set[str] = set()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if what not in self._reported:
                self._reported.add(what)
                message = f"{what} could not be written ({error.strerror or error}); training continues"
                warnings.warn(f"{message} (reported once).", RuntimeWarning, stacklevel=3)
