"""Commands of the command line that a reader can paste into a shell, for model cards and for the end of a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def stylegan_command(*arguments: object) -> str:
    """Return `stylegan ARGUMENTS`, quoted where a shell would split or expand an argument."""
    return shlex.join(["stylegan", *map(str, arguments)])


def generate_command(
    network: object,
    *options: str,
    c_dim: int,
    class_names: Sequence[str] | None = None,
    label_names: Sequence[str] | None = None,
) -> str:
    """Return the command that draws with `network`, with a label if it has labels.

    Args:
        network: the value of --network.
        options: further words of the command, such as "--seeds", "0-7".
        c_dim, class_names, label_names: those of the generator.
    """
    label = _example_label(c_dim, class_names, label_names) if c_dim else None
    return stylegan_command("generate", "--network", network, *(["--class", label] if label else []), *options)


def _example_label(c_dim: int, class_names: Sequence[str] | None, label_names: Sequence[str] | None) -> str:
    """Return the first label as `sampling.labels.label_vector` reads it: by name where that name cannot be misread."""
    if label_names is not None:
        name = label_names[0] if label_names else ""
        plain = name and name == name.strip() and not set(name) & set(",;=")
        return f"{name}=1" if plain else ",".join(["1", *"0" * (c_dim - 1)])
    name = class_names[0] if class_names else ""
    return name if name and name == name.strip() and not name.isdecimal() else "0"
