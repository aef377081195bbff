"""The file of directions: one .npz with the vectors, and what else is known of each as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from stylegan.editing.directions import Direction
from stylegan.errors import ConfigError, DataError
from stylegan.files.atomic import atomic_file
from stylegan.files.npz import read_arrays
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.latent import space_of

FILE = "directions.npz"  # of a network, in the folder of its checkpoint
FORMAT = 1
INDEX = "directions"  # key of the JSON text: {"format": 1, "directions": [...]}
VECTOR, STYLE = "vector", "style:"  # after the number of a direction; a style is followed by the name of its layer
MAX_BYTES = 1 << 28  # of the arrays of a file together
MAX_COUNT = 10_000
NAME = re.compile(r"[^/\\:=\x00-\x1f\x7f]{1,100}")  # such a name can be part of that of a file, and of NAME=STRENGTH


def save_directions(directions: Sequence[Direction], file: Path | str) -> None:
    """Write directions as one .npz.

    Raises: ConfigError for two of one name, or a name with other characters than `NAME` has; OutputError if the file
        cannot be written.
    """
    names = [direction.name for direction in directions]
    if wrong := [name for name in names if not NAME.fullmatch(name)]:
        raise ConfigError(f"the name of a direction has 1 to 100 characters without / \\ : and =, got {wrong[0]!r}.")
    if len(set(names)) < len(names):
        raise ConfigError(f"the directions of a file have different names, got {', '.join(names)}.")
    arrays: dict[str, np.ndarray] = {}
    index = []
    for i, direction in enumerate(directions):
        index.append({key: getattr(direction, key) for key in _FIELDS})
        if isinstance(direction.vector, Tensor):
            arrays[f"{i}/{VECTOR}"] = direction.vector.numpy()
        else:
            arrays |= {f"{i}/{STYLE}{layer}": part.numpy() for layer, part in direction.vector.items()}
    arrays[INDEX] = np.array(json.dumps({"format": FORMAT, "directions": index}))
    with atomic_file(file) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **cast(Any, arrays))


def load_directions(
    file: Path | str, G: GeneratorLike | None = None, *, max_bytes: int | None = None
) -> dict[str, Direction]:
    """Read the directions of a file: name -> direction.

    Args:
        G: the network that they are for; None to read them without a check.
        max_bytes: of the arrays of the file together; None for `MAX_BYTES`.
    Raises: DataError for a file that does not hold directions, ConfigError for those of another network.
    """
    arrays = read_arrays(file, what="a file of directions", only="", max_bytes=max_bytes or MAX_BYTES)
    try:
        index = json.loads(str(arrays[INDEX]))
        if index["format"] != FORMAT:
            raise DataError(f"{file} has the format {index['format']}, and this version reads {FORMAT}.")
        entries = index["directions"]
        if not 0 < len(entries) <= MAX_COUNT:
            raise ValueError(f"{len(entries)} entries")
        found = [_direction(i, entry, arrays) for i, entry in enumerate(entries)]
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{file} is not a file of directions: {type(error).__name__} {error}.") from error
    if G is not None:
        space = space_of(G)
        for direction in found:
            if direction.space != space:
                raise ConfigError(
                    f"{file} holds directions of another network: their latent space is {direction.space}, and that of "
                    f"this network is {space}; find directions for this network."
                )
            _check_shapes(direction, G, file)
    return {direction.name: direction for direction in found}


# Field -> the types that it may have in JSON.
_FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "deviation": (float, int),
    "center": (float, int),
    "layers": (list, type(None)),
    "space": (str,),
    "method": (str,),
    "note": (str,),
}


def _direction(i: int, entry: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Direction:
    """Return the direction number `i`. Raises: KeyError, TypeError, ValueError for what no direction has."""
    fields = {key: entry[key] for key in _FIELDS}
    for key, types in _FIELDS.items():
        if not isinstance(fields[key], types) or isinstance(fields[key], bool):
            raise TypeError(f"{key} {fields[key]!r}")
    if not (np.isfinite([fields["deviation"], fields["center"]]).all() and fields["deviation"] > 0):
        raise ValueError(f"deviation {fields['deviation']}")
    if not NAME.fullmatch(fields["name"]):
        raise ValueError(f"name {fields['name']!r}")
    if fields["layers"] is not None:
        if not all(type(layer) is int and layer >= 0 for layer in fields["layers"]):
            raise TypeError(f"layers {fields['layers']!r}")
        fields["layers"] = tuple(fields["layers"])
    prefix = f"{i}/{STYLE}"
    styles = {key[len(prefix) :]: _numbers(array, (1,)) for key, array in arrays.items() if key.startswith(prefix)}
    return Direction(vector=styles or _numbers(arrays[f"{i}/{VECTOR}"], (1, 2)), **fields)


def _numbers(array: np.ndarray, axes: tuple[int, ...]) -> Tensor:
    if array.dtype != np.float32 or array.ndim not in axes or not np.isfinite(array).all():
        raise ValueError(f"array {array.dtype} {list(array.shape)}")
    return torch.from_numpy(array.copy())


def _check_shapes(direction: Direction, G: GeneratorLike, file: Path | str) -> None:
    """Raises DataError for a vector, layers or styles that do not fit the network, whatever the file says."""
    fits = all(layer < G.num_ws for layer in direction.layers or ())
    if isinstance(direction.vector, Tensor):
        fits = fits and list(direction.vector.shape) in ([G.w_dim], [G.num_ws, G.w_dim])
    else:
        weights = {name: len(value) for name, value in _biases(G).items()}
        fits = fits and all(weights.get(name) == len(part) for name, part in direction.vector.items())
    if not fits:
        raise DataError(f"{file}: the direction {direction.name} does not fit this network, though its space does.")


def _biases(G: GeneratorLike) -> dict[str, Tensor]:
    """Return the biases of the affine layers by the names of the layers; one value for each channel of a style."""
    parameters = cast(Any, G.synthesis).named_parameters()
    return {name.removesuffix(".bias"): value for name, value in parameters if name.endswith("affine.bias")}
