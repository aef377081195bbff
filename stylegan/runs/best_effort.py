"""Files of lesser worth than the training: it goes on without them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class BestEffort:
    """Turns what the disk refuses into one warning for each kind of file."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if what not in self._told:
                self._told.add(what)
                message = f"{what} could not be written ({error.strerror or error}); training goes on"
                warnings.warn(f"{message}, and this is told once.", RuntimeWarning, stacklevel=3)
