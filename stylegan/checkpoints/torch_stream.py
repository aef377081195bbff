"""Storages and tensors of torch.save, and the older of its two containers, which is a stream.

The stream is five pickles (a magic number, the version, the system, the value, the keys of its storages) and then the
elements of each storage. A tensor in a pickle is a view of a storage; a storage inside a pickle that torch did not
write itself is such a stream in a byte string.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.checkpoints import pickle_guards as guards
from stylegan.checkpoints.pickle_guards import Meter
from stylegan.checkpoints.pickle_machine import Machine, Token, Vocabulary
from stylegan.errors import PickleError

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "DoubleStorage": torch.float64,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
STORAGE_TYPES = {("torch", name): Token(name=f"torch.{name}") for name in DTYPES}
_DTYPE_OF = {token: DTYPES[name] for (_, name), token in STORAGE_TYPES.items()}
_NO_WORDS = Vocabulary({})


class Storage:
    """Elements of one or several tensors, zero pages until they are filled."""

    def __init__(self, meter: Meter, dtype: torch.dtype, count: int) -> None:
        meter.stored += count * dtype.itemsize
        guards.storage_room(meter)
        self.elements = torch.empty(count, dtype=dtype, device="cpu")

    def fill(self, raw: memoryview) -> None:
        """Copy little-endian elements into the storage."""
        guards.storage_size(len(raw), self.elements.nbytes)
        if len(raw):
            to, source = self.elements.view(torch.uint8).numpy(), np.frombuffer(raw, np.uint8)
            to[:] = source != 0 if self.elements.dtype == torch.bool else source  # other bytes are no truth values


def storage_id(value: Any) -> tuple[torch.dtype, str, int]:
    """Return type, key and number of elements in a persistent id. Raises: PickleError for another id."""
    fits = (
        type(value) is tuple
        and (len(value) == 5 or (len(value) == 6 and value[5] is None))
        and tuple(map(type, value[:5])) == (str, Token, str, str, int)
        and value[0] == "storage"
        and value[1] in _DTYPE_OF
        and 0 <= value[4] < 2**40
    )
    guards.storage_id(fits, value)
    return _DTYPE_OF[value[1]], value[2], value[4]


def tensor(meter: Meter, storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Return a view of a storage. Raises: PickleError if an element is outside."""
    guards.tensor_bounds(offset, size, stride, storage.elements.numel())
    meter.built += math.prod(size) * storage.elements.itemsize
    guards.built_room(meter)
    return storage.elements.as_strided(size, stride, offset)


def read_stream(data: memoryview, vocabulary: Vocabulary, meter: Meter) -> tuple[Any, list[Storage]]:
    """Return the value of a torch.save stream and its storages; persistent ids of the vocabulary are replaced.

    Raises: PickleError if it is damaged or contains more than data.
    """
    storages: dict[str, Storage] = {}

    def persistent(meter: Meter, value: Any) -> Storage:
        dtype, key, count = storage_id(value)
        if key not in storages:
            storages[key] = Storage(meter, dtype, count)
        found = storages[key].elements
        guards.storage_id((found.dtype, found.numel()) == (dtype, count), value)
        return storages[key]

    position = 0

    def part(name: str, words: Vocabulary = _NO_WORDS) -> Any:
        nonlocal position
        machine = Machine(data, position, words, meter)
        value = machine.run()
        position = machine.position
        return value

    for name, expected in {"magic number": MAGIC, "version": VERSION}.items():
        found = part(name)
        guards.stream_part(type(found) is int and found == expected, name, found)
    system = part("system")
    fits = type(system) is dict and system.get("little_endian") is True
    guards.stream_part(fits, "byte order", system)
    value = part("value", vocabulary._replace(persistent=persistent))
    keys = part("keys")
    fits = type(keys) is list and all(type(key) is str for key in keys)
    guards.stream_part(fits and sorted(keys) == sorted(storages), "list of storages", keys)
    for key in keys:
        storage = storages[key]
        begin = position + 8
        position = begin + storage.elements.nbytes
        guards.inside(position, len(data))
        guards.storage_size(struct.unpack_from("<q", data, begin - 8)[0], storage.elements.numel())
        storage.fill(data[begin:position])
    guards.whole(position, len(data))
    return value, list(storages.values())


def nested_storage(meter: Meter, blob: bytes | memoryview) -> Storage:
    """Return the storage in a byte string, which is a stream of nothing else. Raises: PickleError."""
    meter.nested += len(blob)
    guards.nested_room(meter)
    try:
        value, storages = read_stream(memoryview(blob), Vocabulary(STORAGE_TYPES), meter)
        guards.stream_part(len(storages) == 1 and value is storages[0], "value", value)
    except PickleError as error:
        place = f"{error.opcode} at byte {error.offset:,} of a storage: " if error.opcode else "in a storage: "
        raise PickleError(place + error.reason, name=error.name) from error
    return value
