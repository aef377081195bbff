"""Values that a client names by an id: bounded in number, bytes and time."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Store(Generic[T]):
    """Keeps values until there are too many, or they were not used for a while; the one unused longest goes first.

    Several threads may use it.

    Args:
        prefix: of the ids, such as "latent" in "latent:0123456789abcdef".
    """

    def __init__(self, prefix: str, *, count: int, size_bytes: int, seconds: float):
        self.prefix, self.count, self.size_bytes, self.seconds = prefix, count, size_bytes, seconds
        self._kept: OrderedDict[str, tuple[T, int, float]] = OrderedDict()  # id -> value, bytes, last use
        self._lock = threading.Lock()

    def put(self, value: T, size: int) -> str:
        """Keep a value of `size` bytes and return its id."""
        id = f"{self.prefix}:{secrets.token_hex(8)}"
        with self._lock:
            self._kept[id] = value, size, time.monotonic()
            self._clean()
        return id

    def get(self, id: str) -> T | None:
        """Return a value, or None for one that is unknown or was removed."""
        with self._lock:
            self._clean()
            if id not in self._kept:
                return None
            value, size, _ = self._kept.pop(id)
            self._kept[id] = value, size, time.monotonic()
            return value

    def remove(self, id: str) -> bool:
        """Remove a value. Returns whether there was one."""
        with self._lock:
            return self._kept.pop(id, None) is not None

    def values(self) -> dict[str, T]:
        """Return the values by their ids, the one unused longest first."""
        with self._lock:
            self._clean()
            return {id: value for id, (value, _, _) in self._kept.items()}

    def _clean(self) -> None:
        now, total = time.monotonic(), sum(size for _, size, _ in self._kept.values())
        for id, (_, size, used) in list(self._kept.items()):
            if now - used <= self.seconds and total <= self.size_bytes and len(self._kept) <= self.count:
                return
            del self._kept[id]
            total -= size
