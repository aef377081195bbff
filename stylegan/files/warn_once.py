"""Warn once per process about something that the system cannot do."""

from __future__ import annotations

import warnings
from functools import cache


@cache  # and not a filter of `warnings`, which forgets whenever another library changes the filters for a moment
def warn_once(message: str) -> None:
    """Raise a RuntimeWarning with this message, unless this process has done so before."""
    warnings.warn(message, RuntimeWarning, stacklevel=3)
