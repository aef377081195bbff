"""Pickles read as data. Nothing in them is imported, called or run, whatever they contain.

    unpickle      a pickle in memory or in a mapped file
    read_pickle   a pickle file
    read_torch    a file written by torch.save, in either of its containers

All return None, bool, int, float, str, bytes, list, tuple, set, dict (also for OrderedDict and EasyDict), NumPy arrays
and scalars, tensors on the CPU that need no gradient (also for parameters), and `Record` for objects of other classes.
Tensors that share a storage share memory.
"""

from __future__ import annotations

import mmap
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stylegan.checkpoints import pickle_guards as guards
from stylegan.checkpoints import torch_archive
from stylegan.checkpoints.pickle_guards import Limits, Meter
from stylegan.checkpoints.pickle_machine import Machine, Vocabulary
from stylegan.checkpoints.pickle_vocabulary import DTYPES, TOKENS, TORCH_TOKENS, Record, build
from stylegan.checkpoints.torch_stream import Storage, read_stream, storage_id
from stylegan.errors import CheckpointError, PickleError

__all__ = ["Limits", "PickleError", "Record", "read_pickle", "read_torch", "unpickle"]

_DEFAULT = Limits()
_PLAIN = {type(None), bool, int, float, str, bytes, np.ndarray, torch.Tensor, *(d.type for d in DTYPES.values())}


def unpickle(data: bytes | memoryview | mmap.mmap, *, limits: Limits = _DEFAULT) -> Any:
    """Return the content of a pickle of protocol 2 to 5.

    Raises: PickleError if it is damaged, contains more than the data of a checkpoint, or exceeds the limits.
    """
    return _read(data, _pickle, limits)


def read_pickle(file: Path, *, limits: Limits = _DEFAULT) -> Any:
    """Return the content of a pickle file, as `unpickle` does. Raises: CheckpointError also if it cannot be read."""
    return _read_file(file, _pickle, limits)


def read_torch(file: Path, *, limits: Limits = _DEFAULT) -> Any:
    """Return the content of a file written by torch.save, a zip or the stream of PyTorch before 1.6.

    Raises: PickleError as `unpickle`, CheckpointError if the file cannot be read.
    """
    return _read_file(file, _torch, limits)


def _pickle(data: memoryview, meter: Meter) -> Any:
    machine = Machine(data, 0, Vocabulary(TOKENS, build), meter)
    value = machine.run()
    guards.whole(machine.position, len(data))
    return value


def _torch(data: memoryview, meter: Meter) -> Any:
    if bytes(data[:4]) == torch_archive.START:
        return _archive(data, meter)
    return read_stream(data, Vocabulary(TORCH_TOKENS, build), meter)[0]


def _archive(data: memoryview, meter: Meter) -> Any:
    members = torch_archive.members(data, meter.limits)
    storages: dict[str, Storage] = {}

    def persistent(meter: Meter, value: Any) -> Storage:
        dtype, key, count = storage_id(value)
        name = f"data/{key}"
        guards.storage_id(name in members, value)
        if key not in storages:
            guards.storage_size(len(members[name]), count * dtype.itemsize)
            storages[key] = Storage(meter, dtype, count)
            storages[key].fill(members[name])
        found = storages[key].elements
        guards.storage_id((found.dtype, found.numel()) == (dtype, count), value)
        return storages[key]

    machine = Machine(members["data.pkl"], 0, Vocabulary(TORCH_TOKENS, build, persistent), meter)
    value = machine.run()
    guards.whole(machine.position, len(members["data.pkl"]))
    return value


def _read_file(file: Path, read: Callable[[memoryview, Meter], Any], limits: Limits) -> Any:
    try:
        with open(file, "rb") as stream:
            size = stream.seek(0, 2)
            if not size:
                raise PickleError("the file is empty")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read(data, read, limits)
    except PickleError as error:
        error.file = file
        raise
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror or error}.") from error


def _read(data: bytes | memoryview | mmap.mmap, read: Callable[[memoryview, Meter], Any], limits: Limits) -> Any:
    if sys.byteorder != "little":
        raise PickleError("pickles are read on little-endian machines only")
    with memoryview(data) as view:
        try:
            value = read(view, Meter(limits, len(view)))
            _require_data(value, limits)
            return value
        except PickleError as error:
            # Frames in the traceback hold views of the file, with which it could not be closed.
            traceback.clear_frames(error.__traceback__)
            if error.__cause__ is not None:
                traceback.clear_frames(error.__cause__.__traceback__)
            raise


def _require_data(value: Any, limits: Limits) -> None:
    """Raises: PickleError unless a value is a tree of plain data that is quick to walk."""
    trees: dict[int, tuple[int, int] | None] = {}  # by id: entries and height; None while it is being walked
    todo, depth = [value], 0
    while todo:
        node = todo[-1]
        if type(node) in _PLAIN:
            todo.pop()
        elif id(node) not in trees:
            trees[id(node)] = None
            depth += 1
            guards.nesting(depth, limits)
            for part in _parts(node):
                guards.acyclic(trees.get(id(part), ()) is not None)
                if type(part) not in _PLAIN and id(part) not in trees:
                    todo.append(part)
        else:
            todo.pop()
            if trees[id(node)] is None:
                depth -= 1
                inner = [trees.get(id(part)) or (0, 0) for part in _parts(node)]
                entries, height = len(inner) + sum(n for n, _ in inner), 1 + max((h for _, h in inner), default=0)
                guards.entries(entries, limits)
                guards.nesting(height, limits)  # of shared containers, which are walked once
                trees[id(node)] = entries, height


def _parts(node: Any) -> list[Any] | tuple:
    """Return what a container holds. Raises: PickleError if it is none."""
    kind = type(node)
    if kind is dict:
        return list(node.values())
    if kind in (list, tuple):
        return node
    if kind is set:
        return ()  # its items are strings and integers
    guards.data(kind is Record, node)
    return (*node.args, node.state)
