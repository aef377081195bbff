"""Labels: a class by number or name, or a vector of values, to a row of c."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.files.counted import counted
from stylegan.networks.protocol import GeneratorLike

Label = int | str | Sequence[float]


def label_vector(G: GeneratorLike, label: Label) -> Tensor:
    """Return the row of c for one label of this network, [c_dim].

    Args:
        label: a class by number ("3" or 3) or by name ("cat"); one value per label ("1,0,0.5" or [1, 0, 0.5]); or,
            for a network with named values, some of them by name ("smile=1,hat=0.5"; a name alone means 1) and 0 for
            the others. A whole number always means a class if the network has classes.
    Raises: ConfigError if the network has no such label.
    """
    if G.c_dim == 0:
        raise ConfigError(
            f"this network has no classes, since it was trained without `data.labels`, got class {label}; leave out "
            "`label`."
        )
    if not isinstance(label, str):
        number: Any = label  # of Python, numpy or torch
        if hasattr(number, "__index__") and getattr(number, "ndim", 0) == 0:
            return _class(G, operator.index(number))
        values = list(cast("Sequence[float]", label))
        return _values(G, values, str(values))
    text = label.strip()
    vectors = G.label_names is not None
    if not vectors and _is_whole(text):
        return _class(G, int(text))
    if not vectors and text in (G.class_names or ()):
        return _class(G, (G.class_names or []).index(text))
    parts = [part.strip() for part in text.split(",")]
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return _named_values(G, parts, text)
    return _values(G, values, text)


def class_labels(G: GeneratorLike, label: Label | None, n: int) -> Tensor | None:
    """Return one label (see `label_vector`) n times, [n, c_dim], or None for a network without labels.

    Raises: ConfigError for a label if the network has none, and for no label or an unknown one if it has labels.
    """
    if label is not None:
        return label_vector(G, label).repeat(n, 1)
    if G.c_dim > 0:
        raise _must_have_label(G)
    return None


def waypoints(G: GeneratorLike, text: str) -> list[Label]:
    """Return several labels from "0-3,7", "cat,dog" or, for vectors, "smile=1;smile=0,hat=1" with semicolons.

    Raises: ConfigError for a range that does not ascend or exceeds the classes of the network.
    """
    labels: list[Label] = []
    for part in text.split(";" if ";" in text or G.label_names is not None else ","):
        first, dash, last = (half.strip() for half in part.partition("-"))
        if dash and _is_whole(first) and _is_whole(last) and part.strip() not in (G.class_names or ()):
            if not int(first) < int(last) < G.c_dim:
                raise ConfigError(f"a range of classes ascends, to {G.c_dim - 1} at most, got {part.strip()!r}.")
            labels += range(int(first), int(last) + 1)
        else:
            labels.append(part.strip())
    return labels


def _must_have_label(G: GeneratorLike) -> ConfigError:
    """Return the error for a missing label, with the labels that the network has."""
    if G.label_names is not None:
        return ConfigError(f"{_vectors(G)}; choose them with `label`, for example {G.label_names[0]}=1.")
    names = f" or {_listed(G.class_names)}" if G.class_names else ""
    return ConfigError(
        f"this network has {counted(G.c_dim, 'class', 'classes')}; choose one with `label`, 0..{G.c_dim - 1}{names}."
    )


def _class(G: GeneratorLike, number: int) -> Tensor:
    if G.label_names is not None:
        raise ConfigError(f"{_vectors(G)}, not class numbers, got {number}; write for example {G.label_names[0]}=1.")
    if not 0 <= number < G.c_dim:
        raise ConfigError(f"this network has the classes 0..{G.c_dim - 1}, got class {number}.")
    c = torch.zeros(G.c_dim, dtype=torch.float32, device="cpu")
    c[number] = 1
    return c


def _values(G: GeneratorLike, values: Sequence[float], text: str) -> Tensor:
    if len(values) != G.c_dim or not all(map(math.isfinite, values)):
        what = _vectors(G) if G.label_names is not None else f"a label of this network has {counted(G.c_dim, 'value')}"
        raise ConfigError(f"{what}, got {text!r}; give {G.c_dim} numbers separated by commas.")
    return torch.tensor([float(value) for value in values], dtype=torch.float32, device="cpu")


def _named_values(G: GeneratorLike, parts: Sequence[str], text: str) -> Tensor:
    """Parse parts such as name=value; a name alone means 1."""
    if G.label_names is None:
        known = f"it has {_listed(G.class_names)}" if G.class_names else f"it has the classes 0..{G.c_dim - 1}"
        raise ConfigError(f"this network has no class {text!r}; {known}.")
    c = torch.zeros(G.c_dim, dtype=torch.float32, device="cpu")
    for part in parts:
        name, _, value = (half.strip() for half in part.partition("="))
        try:
            number = float(value or 1)
        except ValueError:
            number = math.nan
        if name not in G.label_names or not math.isfinite(number):
            raise ConfigError(f"{_vectors(G)}, got {part!r}; write NAME=VALUE.")
        c[G.label_names.index(name)] = number
    return c


def _vectors(G: GeneratorLike) -> str:
    return f"this network takes {counted(G.c_dim, 'value')} ({_listed(G.label_names)})"


def _listed(names: Sequence[str] | None, most: int = 12) -> str:
    names = names or []
    return ", ".join(names[:most]) + (f", ... {len(names)} in all" if len(names) > most else "")


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 1000  # Python parses up to 4,300 digits
