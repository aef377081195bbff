"""The training images of CIFAR-10 and CIFAR-100 from the tar of their Python version, without unpickling.

The batches are pickles, and loading a pickle can run code. A strict reader interprets the few instructions that
numbers, texts, lists, dictionaries and NumPy arrays of bytes need, and refuses all others.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stylegan.data.labels import LabelList
from stylegan.data.source import Source, file_digest
from stylegan.data.tars import TarSource
from stylegan.errors import DataError
from stylegan.images.read import Header

_BATCH = re.compile(r"(?:^|/)(?:data_batch_\d+|cifar-100-python/train)$")
_META = re.compile(r"(?:^|/)(?:batches\.meta|cifar-100-python/meta)$")


def is_cifar(files: Iterable[str]) -> bool:
    """Return whether files of these names are the Python version of CIFAR."""
    return any(map(_BATCH.search, files))


class CifarSource(Source):
    """Images of 32x32 with their classes: all batches but those of test images, as in the official data sets.

    Args:
        tar: with the batches; it is closed.
    Raises: DataError if the batches hold anything else.
    """

    def __init__(self, tar: TarSource):
        self.path = Path(tar.path)
        with tar:
            batches = [_read(tar, name) for name in sorted(filter(_BATCH.search, tar.files))]
            metas = [_read(tar, name) for name in filter(_META.search, tar.files)]
        key = "fine_labels" if "fine_labels" in batches[0] else "labels"
        try:
            self._images = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
            self._labels = [int(label) for batch in batches for label in batch[key]]
        except (KeyError, TypeError, ValueError) as error:
            raise _no_batches(self.path, error) from error
        if self._images.dtype != np.uint8 or len(self._images) != len(self._labels):
            raise _no_batches(self.path, f"{len(self._images)} images with {len(self._labels)} labels")
        class_names = metas[0].get(key.replace("labels", "label_names")) if metas else None
        self._class_names = [str(name) for name in class_names] if isinstance(class_names, list) else None
        self.names = [f"{index:08d}" for index in range(len(self._images))]
        self.ignored, self.leftovers = [], []

    def header(self, name: str) -> Header:
        return Header(width=32, height=32, channels=3, color=True)

    def image(self, name: str) -> np.ndarray:
        return np.ascontiguousarray(self._images[int(name)].transpose(1, 2, 0))

    def labels(self) -> LabelList | None:
        return LabelList(dict(zip(self.names, self._labels, strict=True)), self._class_names)

    def fingerprint(self) -> str:
        return file_digest([Path(self.path)])


@dataclass
class _Array:
    """A NumPy array of bytes; its content comes after it was made."""

    content: np.ndarray | None = None


@dataclass(frozen=True)
class _Global:
    """A function or type of the pickle, by module and name."""

    name: str


_DTYPE = _Global("numpy dtype")
_GLOBALS = {
    *(f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")),
    *(f"numpy.{core}.numeric _frombuffer" for core in ("core", "_core")),
    *("numpy ndarray", _DTYPE.name, "_codecs encode"),
}
_NEW: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
}
_NEW |= {"NEWTRUE": lambda: True, "NEWFALSE": lambda: False}
_VALUES = re.compile(r"(?:SHORT_)?BIN(?:STRING|UNICODE8?|BYTES8?)|BININT[12]?|INT|LONG1?|STRING|UNICODE|BYTEARRAY8")


def _read(tar: TarSource, name: str) -> dict[str, Any]:
    try:
        content = _interpret(tar.read(name))
    except Exception as error:  # damage leads to nearly any
        raise _no_batches(tar.path, f"{name}: {error}") from error
    if not isinstance(content, dict):
        raise _no_batches(tar.path, f"{name} is no dictionary")
    return {
        key.decode("latin-1") if isinstance(key, bytes) else str(key): _text(value) for key, value in content.items()
    }


def _text(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.content
    return [x.decode("latin-1") if isinstance(x, bytes) else x for x in value] if isinstance(value, list) else value


def _no_batches(path: Path | str, reason: object) -> DataError:
    return DataError(
        f"{path} has pickles that differ from the batches of CIFAR ({reason}) and could run code; save its images as "
        "PNG files in one folder per class."
    )


def _interpret(content: bytes) -> Any:
    """The value of a pickle of plain values and arrays of bytes. Raises: ValueError, LookupError for any other."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    argument: Any
    for op, argument, _ in pickletools.genops(content):
        name = op.name
        if name in ("PROTO", "FRAME"):
            continue
        if name == "STOP":
            return stack.pop()
        if name == "MARK":
            marks.append(len(stack))
        elif name in _NEW:
            stack.append(_NEW[name]())
        elif _VALUES.fullmatch(name):
            stack.append(argument)
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(argument)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[int(argument)])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            marks.append(len(stack) - int(name[-1]))
            stack.append(tuple(since_mark()))
        elif name in ("TUPLE", "LIST"):
            items = since_mark()
            stack.append(tuple(items) if name == "TUPLE" else items)
        elif name in ("APPEND", "APPENDS"):
            items = since_mark() if name == "APPENDS" else [stack.pop()]
            _of(list, stack[-1]).extend(items)
        elif name in ("SETITEM", "SETITEMS", "DICT"):
            if name == "SETITEM":
                marks.append(len(stack) - 2)
            items = since_mark()
            if name == "DICT":
                stack.append({})
            _of(dict, stack[-1]).update(zip(items[::2], items[1::2], strict=True))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            found = argument if name == "GLOBAL" else " ".join(reversed([stack.pop(), stack.pop()]))
            if found not in _GLOBALS:
                raise ValueError(f"it calls {found}")
            stack.append(_Global(found))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(_call(_of(_Global, stack.pop()), _of(tuple, arguments)))
        elif name == "BUILD":
            state = _of(tuple, stack.pop())
            if stack[-1] != _DTYPE:  # a data type has nothing that matters for bytes
                _, shape, _, fortran, content_of_array = state
                _of(_Array, stack[-1]).content = _bytes(content_of_array).reshape(shape, order="F" if fortran else "C")
        else:
            raise ValueError(f"it has the instruction {name}")
    raise ValueError("it breaks off")


def _call(function: _Global, arguments: tuple[Any, ...]) -> Any:
    """The result of one of the known functions, for arrays of bytes."""
    if function == _DTYPE:
        if arguments[0] not in ("u1", "|u1", b"u1"):
            raise ValueError(f"it holds numbers of type {arguments[0]!r}")
        return _DTYPE
    if function.name.endswith("_reconstruct"):
        return _Array()
    if function.name.endswith("_frombuffer"):
        content, dtype, shape, order = arguments
        if dtype != _DTYPE:
            raise ValueError("it holds other numbers than bytes")
        return _Array(_bytes(content).reshape(shape, order=order))
    if function.name == "_codecs encode":
        return _of(str, arguments[0]).encode("latin-1")
    raise ValueError(f"it calls {function.name}")


def _bytes(content: Any) -> np.ndarray:
    return np.frombuffer(content.encode("latin-1") if isinstance(content, str) else content, np.uint8)


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"it has a {type(value).__name__} where a {kind.__name__.strip('_')} belongs")
    return value
