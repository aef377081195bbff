"""Networks in the files of NVIDIA's TensorFlow code, and the tables by which their variables become tensors.

TensorFlow stores [in, out] and [kh, kw, in, out], and enlarging convolutions, where they are fused with the
enlargement, as true convolutions. A row of a table is the name of a tensor, its variable, and the transform.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.checkpoints.pickle_vm import Record
from stylegan.checkpoints.rebuild import empty, fill
from stylegan.checkpoints.substitutes import missing_filters
from stylegan.errors import CheckpointError
from stylegan.networks.settings import OneOf, Whole, shown

VERSIONS = {2: "ProGAN", 3: "StyleGAN", 4: "StyleGAN2", 5: "StyleGAN2-ADA"}

Tensors = dict[str, Tensor]


class Network:
    """One network of a file: variables as float32 tensors by their full names, arguments, name of its build function.

    Raises: CheckpointError if the record is not such a network.
    """

    def __init__(self, record: Record):
        state = record.state if isinstance(record.state, dict) else {}
        if "version" not in state and "param_values" in state:
            raise CheckpointError(
                "is a ProGAN of the Theano version, whose layout differs; use the .pkl of its TensorFlow version"
            )
        self.version: Any = state.get("version")
        if not Whole(min(VERSIONS), max(VERSIONS)).admits(self.version):
            raise CheckpointError(
                f"holds a TensorFlow network of version {shown(self.version)}; versions 2 to 5 are known"
            )
        arguments = state.get("static_kwargs")
        self.arguments: dict[str, Any] = dict(arguments) if isinstance(arguments, dict) else {}
        build = state.get("build_func_name")
        self.build = build.rpartition(".")[2][:100] if isinstance(build, str) else ""
        self.variables: Tensors = {}
        self._read: dict[int, Tensor] = {}  # by the id of its array: a file can name one array many times
        self._add(state, "")
        parts = state.get("components")
        for key, part in parts.items() if isinstance(parts, dict) else ():
            if isinstance(part, Record) and isinstance(part.state, dict):
                self._add(part.state, f"{key}/")
        if "lod" in self.variables and "synthesis/lod" in self.variables:
            del self.variables["synthesis/lod"]  # that of the whole generator counts

    def _add(self, state: Mapping[str, Any], prefix: str) -> None:
        variables = state.get("variables")
        for pair in variables if isinstance(variables, list | tuple) else ():
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise CheckpointError("holds a TensorFlow network whose variables are not pairs of name and value")
            name, value = pair
            if not isinstance(name, str) or not isinstance(value, float | np.floating | np.ndarray):
                raise CheckpointError("holds a TensorFlow network whose variables are not pairs of name and value")
            if np.asarray(value).dtype.kind != "f":
                raise CheckpointError(f"holds a variable {name:.100} that is not a number of floating point")
            if id(value) not in self._read:
                self._read[id(value)] = torch.from_numpy(np.array(value, np.float32))
            self.variables[prefix + name] = self._read[id(value)]

    @property
    def lod(self) -> float:
        """The level of detail; 0 where nothing grows."""
        value = self.variables.get("lod", torch.zeros([]))
        return float(value) if value.numel() == 1 else 0.0


# Transforms of variables, in the notation [shape of TensorFlow] -> [shape of PyTorch]


def dense(value: Tensor) -> Tensor:
    """[in, out] -> [out, in]"""
    return with_axes(value, 2).T


def conv(value: Tensor) -> Tensor:
    """[kh, kw, in, out] -> [out, in, kh, kw]"""
    return with_axes(value, 4).permute(3, 2, 0, 1)


def flipped(value: Tensor) -> Tensor:
    """Turn a true convolution into a correlation, or back: [kh, kw, in, out] -> [out, in, kh, kw]"""
    return conv(value).flip(2, 3)


def same(value: Tensor) -> Tensor:
    return value


def plus_one(value: Tensor) -> Tensor:
    """TensorFlow adds the 1 of a modulation at run time."""
    return value + 1


def image(value: Tensor) -> Tensor:
    """[1, 1, h, w] -> [h, w]"""
    return with_axes(value, 4)[0, 0]


def constant(value: Tensor) -> Tensor:
    """[1, C, 4, 4] -> [C, 4, 4]"""
    return with_axes(value, 4)[0]


def with_axes(value: Tensor, expected: int) -> Tensor:
    if value.ndim != expected or value.numel() == 0:
        raise CheckpointError(f"holds a variable of shape {list(value.shape)[:9]}, {expected} axes are expected")
    return value


Row = tuple[str, str, Callable[[Tensor], Tensor]]  # name here, variable, transform


def translated(variables: Tensors, rows: Sequence[Row]) -> Tensors:
    """Return the variables that the rows name, by their new names. Raises: CheckpointError if one is missing."""
    for _, variable, _ in rows:
        if variable not in variables:
            raise CheckpointError(f"holds a TensorFlow network without the variable {variable}")
    return {name: transform(variables[variable]) for name, variable, transform in rows}


def block_sizes(variables: Tensors, pattern: str) -> list[int]:
    """Return the resolutions with such a variable and 4, from 4 on. Raises: CheckpointError unless they double."""
    found = {int(m[1]) for m in (re.match(rf"{pattern}$", name) for name in variables) if m}
    sizes = sorted(found | {4})
    if sizes != [4 << i for i in range(len(sizes))]:
        raise CheckpointError(f"holds blocks of resolutions {sizes[:20]}, 4, 8, 16 and so on are expected")
    return sizes


def layer(name: str, variable: str, weight: Callable[[Tensor], Tensor]) -> list[Row]:
    return [(f"{name}.weight", f"{variable}/weight", weight), (f"{name}.bias", f"{variable}/bias", same)]


def built(network_class: Any, settings: dict[str, Any], tensors: Tensors, taps: Mapping[str, Any]) -> Any:
    """Return a network with its tensors, and the filters that TensorFlow does not store."""
    try:
        network = empty(network_class, settings)
        tensors |= missing_filters(network, tensors, taps)
        return fill(network, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"holds a TensorFlow network whose variables do not fit together: {error}") from error


def number(value: Any, default: float) -> Any:
    return value if isinstance(value, int | float | np.number) and not isinstance(value, bool) else default


def given_arguments(source: Network, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of the training script under the names of this library, numpy's numbers as Python's."""
    given = {ours: source.arguments[theirs] for theirs, ours in names.items() if theirs in source.arguments}
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}


def require_lrelu(source: Network, *names: str) -> None:
    for name in names:
        activation = source.arguments.get(name, "lrelu")
        if not OneOf(("lrelu", "leaky_relu")).admits(activation):
            raise CheckpointError(f"holds a network with {name} {shown(activation)}, leaky ReLU is expected")


def require_normalized(source: Network) -> None:
    if source.arguments.get("normalize_latents", True) is not True:
        raise CheckpointError("holds a generator that does not normalize its latents, as those of this library do")
