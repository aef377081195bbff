"""Classes and functions that a checkpoint names, and what each becomes: data, or an inert record.

The names are those of the official files, their forks, and torch.save. None is imported because a file names it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from stylegan.checkpoints import pickle_guards as guards
from stylegan.checkpoints.pickle_guards import Meter
from stylegan.checkpoints.pickle_machine import Predicate, Token, Unfinished
from stylegan.checkpoints.torch_stream import STORAGE_TYPES, Storage, nested_storage, tensor

PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
SOURCE_TEXTS = ("module_src", "build_module_src")  # program text in a record, which is dropped
DTYPES = {code: np.dtype(code) for code in ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")}


class Record:
    """An object of a foreign class or the call of a foreign function, which remains data.

    Attributes:
        name: the full name of the class or function.
        args: the arguments of the call; () for an object.
        state: the attributes of an object; None for a call.
    """

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: tuple = (), state: Any = None) -> None:
        self.name, self.args, self.state = name, args, state

    def __repr__(self) -> str:
        return f"Record({self.name!r})"


# ---- What an argument must be


def _one(*kinds: type) -> Predicate:
    return lambda value: type(value) in kinds


def _in(*allowed: Any) -> Predicate:
    return lambda value: _simple(value) and value in allowed


def _simple(value: Any) -> bool:
    """Return whether comparing a value with others is quick and raises nothing, unlike that of arrays."""
    inner = value if type(value) is tuple else (value,)
    return len(inner) <= 32 and all(type(part) in (str, int, bool, bytes, type(None)) for part in inner)


def _sizes(value: Any) -> bool:
    return type(value) is tuple and len(value) <= 32 and all(type(n) is int and -(2**40) < n < 2**40 for n in value)


def _token(*names: str) -> Predicate:
    return lambda value: type(value) is Token and value.name in names


def _no_hooks(value: Any) -> bool:
    return value is None or (type(value) is dict and not value)


_text, _int, _dict, _list, _tuple = _one(str), _one(int), _one(dict), _one(list), _one(tuple)
_flag = _in(False, True)  # equal to the 0 and 1 of older files
_bytes = _one(bytes, memoryview)
_dtype = _one(*{type(dtype) for dtype in DTYPES.values()})
_META = {"type": _in("class"), "version": _in(6), "class_name": _text, "state": _dict}  # of a persistent object


# ---- What a call returns


def _persistent(meter: Meter, meta: dict) -> Record:
    kept = {key: value for key, value in meta.items() if key not in SOURCE_TEXTS}
    fits = kept.keys() == _META.keys() and all(takes(kept[key]) for key, takes in _META.items())
    guards.arguments(PERSISTENT, fits, tuple(meta))
    guards.identifier(kept["class_name"])
    return Record(PERSISTENT, (kept,))


def _tensor(meter: Meter, storage: Storage, offset: int, size: tuple, stride: tuple, *_: Any) -> torch.Tensor:
    return tensor(meter, storage, offset, size, stride)


def _set(meter: Meter, values: list) -> set:
    meter.operations += len(values)
    guards.keys(values)
    return set(values)


def _encode(meter: Meter, text: str, encoding: str) -> bytes:
    meter.built += len(text)
    guards.built_room(meter)
    encoded = text.encode("latin1", "ignore")
    guards.arguments("_codecs.encode", len(encoded) == len(text), text)
    return encoded


def _numpy_dtype(meter: Meter, code: str, align: int, copy: int) -> np.dtype:
    guards.plain_dtype(code, code in DTYPES)
    return DTYPES[code]


def _array(meter: Meter, dtype: np.dtype, shape: tuple, raw: bytes | memoryview, order: str) -> np.ndarray:
    """Copy the elements of an array out of the file."""
    guards.array_size(shape, dtype.itemsize, len(raw))
    meter.built += len(raw)
    guards.built_room(meter)
    array: np.ndarray = np.empty(shape, dtype, order="F" if order == "F" else "C")
    if array.size:
        source = np.frombuffer(raw, np.uint8)
        array.reshape(-1, order="A").view(np.uint8)[:] = source != 0 if dtype == np.bool_ else source
    return array


def _scalar(meter: Meter, dtype: np.dtype, raw: bytes | memoryview) -> np.generic:
    return _array(meter, dtype, (), raw, "C")[()]  # type: ignore[return-value]


def _from_buffer(meter: Meter, raw: bytes | memoryview, dtype: np.dtype, shape: tuple, order: str) -> np.ndarray:
    return _array(meter, dtype, shape, raw, order)


def _unfinished(meter: Meter, kind: Token, shape: tuple, code: bytes) -> Unfinished:
    return Unfinished()


def _dill_array(meter: Meter, function: Token, values: tuple, state: Any, attributes: None) -> np.ndarray:
    return build(meter, function.result(meter, values), state)


def _instance(meter: Meter, kind: Token, base: Token, state: None) -> Any:
    return kind.instance(meter, ())


def build(meter: Meter, target: Any, state: Any) -> Any:
    """Return an object with its state. Raises: PickleError if it takes none, or another."""
    if type(target) is Record:
        guards.buildable(target, target.name in _CLASSES and target.state is None and type(state) is dict)
        meter.operations += len(state)
        target.state = {key: value for key, value in state.items() if key not in SOURCE_TEXTS}
        return target
    if type(target) is Unfinished:
        fits = type(state) is tuple and len(state) == 5 and target.array is None and _in(1)(state[0])
        fits = fits and _sizes(state[1]) and _dtype(state[2]) and _flag(state[3]) and _bytes(state[4])
        guards.buildable(target, fits)
        target.array = _array(meter, state[2], state[1], state[4], "F" if state[3] else "C")
        return target.array
    if _dtype(target):  # byte order and no fields
        guards.buildable(target, _dtype_state(state, "|" if target.itemsize == 1 else "<"))
        return target
    versions = type(target) is dict and type(state) is dict and set(state) == {"_metadata"}
    guards.buildable(target, versions)  # of the modules in a state dict
    return target


def _dtype_state(state: Any, order: str) -> bool:
    return _in((3, order, None, None, None, -1, -1, 0))(state)


def _record(name: str) -> Token:
    return Token(name=name, new=lambda meter: Record(name))


def _easy_dict(name: str) -> Token:
    return Token(name=name, new=lambda meter: {})


def _call(name: str, takes: tuple[Predicate, ...], call: Callable[..., Any], optional: int = 0) -> Token:
    return Token(name=name, takes=takes, call=call, optional=optional)


_CLASSES = {
    "dnnlib.tflib.network.Network",
    "tfutil.Network",  # of the original ProGAN
    "network.Network",  # of the ProGAN written in Theano
    "argparse.Namespace",
    "torch.nn.modules.sparse.Embedding",  # in the mapping network of StyleGAN-XL
    "pg_modules.discriminator.ProjectedDiscriminator",
}
_TOKENS = [
    *map(_record, sorted(_CLASSES)),
    *map(_easy_dict, ("dnnlib.util.EasyDict", "dnnlib.EasyDict", "config.EasyDict")),
    _call(PERSISTENT, (_dict,), _persistent),
    Token(name="collections.OrderedDict", call=lambda meter: {}),
    _call("_codecs.encode", (_text, _in("latin1")), _encode),
    # PyTorch
    _call("torch.storage._load_from_bytes", (_bytes,), nested_storage),
    _call(
        "torch._utils._rebuild_tensor_v2",
        (_one(Storage), _int, _sizes, _sizes, _flag, _no_hooks, _no_hooks),
        _tensor,
        optional=1,
    ),
    _call("torch._utils._rebuild_parameter", (_one(torch.Tensor), _flag, _no_hooks), lambda meter, data, *_: data),
    _call(
        "torch._utils._rebuild_parameter_with_state",
        (_one(torch.Tensor), _flag, _no_hooks, _no_hooks),
        lambda meter, data, *_: data,
    ),
    _call("torch.nn.parameter.Parameter", (_one(torch.Tensor), _flag), lambda meter, data, *_: data, optional=1),
    _call("torch.Size", (_sizes,), lambda meter, size: size),
    _call("torch.device", (_text, _int), lambda meter, name, *_: name, optional=1),
    # NumPy
    Token(name="numpy.ndarray"),
    _call("numpy.dtype", (_text, _flag, _flag), _numpy_dtype),
    _call("numpy.core.multiarray.scalar", (_dtype, _bytes), _scalar),
    _call("numpy.core.multiarray._reconstruct", (_token("numpy.ndarray"), _in((0,)), _in(b"b")), _unfinished),
    _call("numpy.core.numeric._frombuffer", (_bytes, _dtype, _sizes, _in("C", "F")), _from_buffer),
    _call(
        "dill._dill._create_array",
        (_token("numpy.core.multiarray._reconstruct"), _tuple, _tuple, _in(None)),
        _dill_array,
    ),
    # Python
    _call("builtins.set", (_list,), _set),
    _call("builtins.bytes", (), lambda meter: b""),
    Token(name="builtins.object"),
    Token(name="builtins.dict"),
    _call("copyreg._reconstructor", (_one(Token), _token("builtins.object", "builtins.dict"), _in(None)), _instance),
]
_OTHER_MODULES = {  # of NumPy 2 and of Python 2, whose names protocol 2 has
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
    "builtins": "__builtin__",
    "copyreg": "copy_reg",
}

TOKENS: dict[tuple[str, str], Token] = {}
for _token_ in _TOKENS:
    _module, _, _name = _token_.name.rpartition(".")
    TOKENS[_module, _name] = TOKENS[_OTHER_MODULES.get(_module, _module), _name] = _token_
# In the containers of torch.save, storages are named by persistent ids, never nested.
TORCH_TOKENS = {key: token for key, token in TOKENS.items() if key != ("torch.storage", "_load_from_bytes")}
TORCH_TOKENS |= STORAGE_TYPES
