"""Pickles in the layouts of other programs, made without their code: modules of their names with inert classes."""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import torch
from torch import nn

SOURCE = "class Generator: ...\n" * 40
HOOKS = ("_backward_hooks", "_forward_hooks", "_forward_pre_hooks", "_state_dict_hooks")


class EasyDict(dict):
    """Stand-in for the dict of the official tools."""

    __module__ = "dnnlib.util"


class Network:
    """Stand-in for a TensorFlow network."""

    __module__ = "dnnlib.tflib.network"


class Namespace:
    """Stand-in for the arguments of a training."""

    __module__ = "argparse"


def _reconstruct_persistent_obj(meta: dict) -> dict:
    """Stand-in for the function that runs `module_src`; this one does not."""
    return meta


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"


@contextlib.contextmanager
def foreign_modules() -> Iterator[None]:
    """Let pickle find the stand-ins under the names of the official modules."""
    found = {
        "dnnlib": {"util": None, "tflib": None, "EasyDict": EasyDict},
        "dnnlib.util": {"EasyDict": EasyDict},
        "dnnlib.tflib": {"network": None},
        "dnnlib.tflib.network": {"Network": Network},
        "torch_utils": {"persistence": None},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
    }
    modules = {}
    for name, values in found.items():
        modules[name] = ModuleType(name)
        modules[name].__dict__.update({key: value for key, value in values.items() if value is not None})
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class Persistent:
    """An object that is pickled as the official networks are."""

    def __init__(self, class_name: str, state: dict[str, Any], source: str = SOURCE, version: int = 6) -> None:
        self.meta = {"type": "class", "version": version, "module_src": source, "class_name": class_name}
        self.meta["state"] = state

    def __reduce__(self) -> tuple:
        return _reconstruct_persistent_obj, (self.meta,)


def module_state(module: nn.Module, attributes: dict[str, Any] | None = None, kwargs: dict | None = None) -> dict:
    """Return the `__dict__` of a module whose children are pickled as the official networks are."""
    return {
        "training": False,
        "_parameters": OrderedDict((k, v) for k, v in module._parameters.items()),
        "_buffers": OrderedDict(module._buffers),
        "_non_persistent_buffers_set": set(),
        **{name: OrderedDict() for name in HOOKS},
        "_modules": OrderedDict(
            (name, None if child is None else Persistent(type(child).__name__, module_state(child)))
            for name, child in module._modules.items()
        ),
        **(attributes or {}),
        "_init_args": (),
        "_init_kwargs": EasyDict(kwargs or {}),
    }


def dumps(value: Any, protocol: int = 4) -> bytes:
    """Return a pickle in which the stand-ins have the official names."""
    with foreign_modules():
        return pickle.dumps(value, protocol=protocol)


def torch_save(value: Any, zipped: bool = True) -> bytes:
    """Return a file of torch.save."""
    file = io.BytesIO()
    with foreign_modules():
        torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()
