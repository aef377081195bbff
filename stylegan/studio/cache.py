"""A cache of tensors that forgets those that were not used for the longest time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from torch import Tensor

ENTRY_BYTES = 2048  # of the key and the objects around a tensor, which weigh more than a small image itself


class TensorCache:
    """Keep tensors up to a number of bytes. Several threads may use it."""

    def __init__(self, limit_bytes: int):
        self.limit_bytes = limit_bytes
        self._tensors: OrderedDict[Hashable, Tensor] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Tensor | None:
        """Return the tensor of a key, or None."""
        with self._lock:
            if key in self._tensors:
                self._tensors.move_to_end(key)
            return self._tensors.get(key)

    def put(self, key: Hashable, tensor: Tensor) -> None:
        """Keep a tensor, which must own its memory: a view would keep the whole batch alive."""
        with self._lock:
            old = self._tensors.pop(key, None)
            self._bytes += _size(tensor) - (0 if old is None else _size(old))
            self._tensors[key] = tensor
            while self._bytes > self.limit_bytes:
                self._bytes -= _size(self._tensors.popitem(last=False)[1])


def _size(tensor: Tensor) -> int:
    return tensor.nbytes + ENTRY_BYTES
