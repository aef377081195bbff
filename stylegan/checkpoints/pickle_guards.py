"""Limits of the pickle reader, and one function for each thing that it refuses.

A guard raises `PickleError` or does nothing, so each can be tested by leaving it out.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import thread_time
from typing import Any

from stylegan.errors import PickleError

LONGEST_KEY = 500  # characters; names of tensors have under 100


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Budgets for one file. The defaults are about ten times what a snapshot of three networks at 1024 pixels needs."""

    operations: int = 500_000  # instructions, those of nested storages included
    calls: int = 40_000  # instructions that build an array, a tensor or a record
    seconds: float = 60.0  # CPU time
    stack: int = 100_000  # values above a mark
    marks: int = 100  # open marks
    memo: int = 150_000  # remembered values
    string: int = 64 << 20  # bytes in one string
    integer: int = 32  # bytes in one integer
    items: int = 100_000  # entries in one container
    nesting: int = 200  # containers inside each other
    entries: int = 1_000_000  # entries of all containers, shared ones counted wherever they appear
    spare: int = 64 << 20  # bytes that all tensors may have beyond 4 times the file, as expanded ones do
    members: int = 10_000  # files in a zip


class Meter:
    """Amounts that one file has used of its limits."""

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits = limits
        self.size = size  # bytes in the file
        self.operations = self.calls = self.remembered = 0
        self.nested = 0  # bytes in nested storages
        self.stored = 0  # bytes in storages
        self.built = 0  # bytes in tensors and arrays
        self.deadline = thread_time() + limits.seconds


# ---- The machine


def opcode(known: bool, code: int) -> None:
    if not known:
        raise PickleError(f"a checkpoint of pickle protocol 2 to 5 has no instruction 0x{code:02x}")


def protocol(head: bytes) -> None:
    if not (len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5):
        raise PickleError(f"a pickle starts with its protocol, 80 02 to 80 05, got {head.hex(' ') or 'nothing'}")


def inside(end: int, size: int) -> None:
    if end > size:
        raise PickleError(f"the file ends at byte {size:,} but its data reach to byte {end:,}, so it is truncated")


def whole(position: int, size: int) -> None:
    if position != size:
        raise PickleError(f"the data end at byte {position:,} but the file ends at byte {size:,}")


def operations(meter: Meter) -> None:
    if meter.operations > meter.limits.operations:
        raise PickleError(f"it has over {meter.limits.operations:,} instructions")


def seconds(meter: Meter) -> None:
    if thread_time() > meter.deadline:
        raise PickleError(f"it takes over {meter.limits.seconds:g} seconds to read")


def calls(meter: Meter) -> None:
    if meter.calls > meter.limits.calls:
        raise PickleError(f"it builds over {meter.limits.calls:,} objects")


def stack(depth: int, limits: Limits) -> None:
    if depth > limits.stack:
        raise PickleError(f"its stack holds over {limits.stack:,} values")


def marks(depth: int, limits: Limits) -> None:
    if depth > limits.marks:
        raise PickleError(f"it has over {limits.marks:,} open marks")


def remembered(meter: Meter) -> None:
    if meter.remembered > meter.limits.memo:
        raise PickleError(f"its memo holds over {meter.limits.memo:,} values")


def filled(available: int, needed: int) -> None:
    if available < needed:
        raise PickleError(f"the stack must hold {needed} values, got {available}")


def marked(depth: int) -> None:
    if depth <= 0:
        raise PickleError("the stack must hold a mark, got none")


def one_value(left: int, open_marks: int) -> None:
    if (left, open_marks) != (1, 0):
        raise PickleError(f"one value must be left at the end, got {left} and {open_marks} marks")


def memo_has(index: int, memo: dict[int, Any]) -> None:
    if index not in memo:
        raise PickleError(f"the memo has no value {index:,}")


def string(length: int, limits: Limits) -> None:
    if length > limits.string:
        raise PickleError(f"a string may have {limits.string:,} bytes, got {length:,}")


def integer(length: int, limits: Limits) -> None:
    if length > limits.integer:
        raise PickleError(f"an integer may have {limits.integer} bytes, got {length}")


def items(length: int, limits: Limits) -> None:
    if length > limits.items:
        raise PickleError(f"a container may have {limits.items:,} entries, got {length:,}")


def keys(values: Iterable[Any]) -> None:
    """Hashing and comparing these is quick, whatever they contain; that of nested tuples or long strings is not.

    Integers may be addresses, by which optimizers of PyTorch before 1.6 name their parameters.
    """
    for key in values:
        short = type(key) is str and len(key) <= LONGEST_KEY
        if not (short or (type(key) is int and -(2**48) < key < 2**48)):
            raise PickleError(f"a key must be a short string or an integer below 2**48, got {_short(key)}")


def container(target: Any, kind: type) -> None:
    if type(target) is not kind:
        raise PickleError(f"a {kind.__name__} must be filled, got {_short(target)}")


def pairs(length: int) -> None:
    if length % 2 != 0:
        raise PickleError(f"a dict must be filled with pairs, got {length} values")


# ---- Names and calls


def known(name: str, found: bool) -> None:
    if not found:
        raise PickleError(f"{_text(name)} is none of the classes and functions that a checkpoint contains", name=name)


def callable_name(name: str | None, allowed: bool) -> None:
    if not allowed:
        raise PickleError(f"a known function or class must be called, got {_text(name)}", name=name)


def arguments(name: str, fits: bool, values: Any) -> None:
    if not fits:
        raise PickleError(f"{name} has other arguments than in a checkpoint: {_short(values)}", name=name)


def buildable(target: Any, fits: bool) -> None:
    if not fits:
        raise PickleError(f"a state is given to {_short(target)}, which takes none of this form")


def identifier(name: str) -> None:
    if not (len(name) <= LONGEST_KEY and name.isidentifier() and name.isascii()):
        raise PickleError(f"a class name must be an identifier, got {_text(name)}", name=name)


# ---- Arrays, storages and tensors


def plain_dtype(code: Any, found: bool) -> None:
    if not found:
        raise PickleError(f"an array must have a plain number type, got {_short(code)}")


def array_size(shape: tuple[int, ...], itemsize: int, available: int) -> None:
    expected = math.prod(shape) * itemsize
    fits = expected == available and min(shape, default=0) >= 0 and math.prod(max(n, 1) for n in shape) < 2**48
    if not fits:
        raise PickleError(f"an array of shape {_short(shape)} must have {expected:,} bytes, got {available:,}")


def array_complete(complete: bool) -> None:
    if not complete:
        raise PickleError("an array is used before it has data")


def storage_id(fits: bool, value: Any) -> None:
    if not fits:
        raise PickleError(f"a storage must be named by its type, key, device and size, got {_short(value)}")


def storage_room(meter: Meter) -> None:
    if meter.stored > meter.size:
        raise PickleError(f"its storages need {meter.stored:,} bytes, but the file has {meter.size:,}")


def storage_size(count: int, expected: int) -> None:
    if count != expected:
        raise PickleError(f"a storage of {expected:,} was declared, got {count:,}")


def nested_room(meter: Meter) -> None:
    if meter.nested > meter.size:
        raise PickleError("its nested storages have more bytes than the file")


def stream_part(fits: bool, part: str, value: Any) -> None:
    if not fits:
        raise PickleError(f"the {part} of a torch.save stream is wrong, got {_short(value)}")


def tensor_bounds(offset: int, size: Sequence[int], stride: Sequence[int], count: int) -> None:
    """Require that every element of a tensor is one of the `count` elements of its storage."""
    fits = len(size) == len(stride) and 0 <= offset <= count and min((*size, *stride), default=0) >= 0
    if fits and all(size):
        fits = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) < count
    if not (fits and math.prod(max(n, 1) for n in size) < 2**48):
        raise PickleError(
            f"a tensor with offset {offset:,}, size {_short(size)} and stride {_short(stride)} is outside its storage "
            f"of {count:,} elements"
        )


def built_room(meter: Meter) -> None:
    allowed = 4 * meter.size + meter.limits.spare
    if meter.built > allowed:
        raise PickleError(f"its tensors have over {allowed:,} bytes, and the file has {meter.size:,}")


# ---- The result


def acyclic(closed: bool) -> None:
    if not closed:
        raise PickleError("a container is inside itself")


def nesting(depth: int, limits: Limits) -> None:
    if depth > limits.nesting:
        raise PickleError(f"over {limits.nesting} containers are inside each other")


def entries(count: int, limits: Limits) -> None:
    if count > limits.entries:
        raise PickleError(f"its containers have over {limits.entries:,} entries")


def data(plain: bool, value: Any) -> None:
    if not plain:
        raise PickleError(f"the content must be data, got {_short(value)}")


# ---- The zip of torch.save


def zip_members(count: int, limits: Limits) -> None:
    if count > limits.members:
        raise PickleError(f"a zip may have {limits.members:,} members, got {count:,}")


def zip_name(fits: bool, name: str) -> None:
    if not fits:
        raise PickleError(f"member {_text(name)} is none that torch.save writes into a zip of tensors")


def zip_unique(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise PickleError("a zip has two members of the same name")


def zip_stored(stored: bool, name: str) -> None:
    if not stored:
        raise PickleError(f"member {_text(name)} is compressed or encrypted, which torch.save never does")


def zip_header(agrees: bool, name: str) -> None:
    if not agrees:
        raise PickleError(f"member {_text(name)} differs from its entry in the directory of the zip")


def zip_overlap(begin: int, end: int, name: str) -> None:
    if begin < end:
        raise PickleError(f"member {_text(name)} overlaps another")


def zip_checksum(agrees: bool, name: str) -> None:
    if not agrees:
        raise PickleError(f"member {_text(name)} is damaged: its checksum is wrong")


def _short(value: Any) -> str:
    """Describe a value in at most about 60 characters, without following deep structures."""
    if isinstance(value, (str, int, float, bool, type(None))):
        return _text(value)
    if isinstance(value, tuple):
        inner = ", ".join(_text(v) if isinstance(v, (str, int, bool)) else type(v).__name__ for v in value[:6])
        return f"({inner}{', ...' if len(value) > 6 else ''})"
    return f"a {type(value).__name__}"


def _text(value: Any) -> str:
    return reprlib.repr(value)
