"""State dicts in the names of the official PyTorch releases, which are those of this library, as one file.

    .pt             a dict with the state dicts G_ema, G and D
    .safetensors    the same tensors, each behind the name of its network: "G_ema.mapping.w_avg"

Beside them, under "config", is the text of the config.json of a native checkpoint, with which the file is read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from stylegan.checkpoints import native
from stylegan.checkpoints.checkpoint import Checkpoint, facts
from stylegan.checkpoints.layout import CONFIG, NETWORKS
from stylegan.checkpoints.nvidia import is_state_dict
from stylegan.checkpoints.rebuild import rebuild
from stylegan.errors import CheckpointError
from stylegan.networks import stylegan2, stylegan3
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.family import architecture_of

SETTINGS = "config"
_MODULES: dict[str, Any] = {"stylegan2": stylegan2, "stylegan3": stylegan3}


def fits(D: FamilyDiscriminator) -> bool:
    """Return whether the official PyTorch releases have this discriminator."""
    return isinstance(D, stylegan2.Discriminator)


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Write all networks, in the form of the suffix of `path`.

    Raises: CheckpointError for networks without an official PyTorch class, OSError or RuntimeError for a full disk.
    """
    generator = checkpoint.G_ema or checkpoint.G
    architecture = architecture_of(generator) if generator is not None else "no generator"
    if architecture not in _MODULES or not (checkpoint.D is None or fits(checkpoint.D)):
        raise CheckpointError(
            f"the official PyTorch releases have the networks of {' and '.join(_MODULES)}, got {architecture}; write a "
            "native folder."
        )
    config = native.contents(checkpoint).texts[CONFIG]
    networks = {name: _on_cpu(network.state_dict()) for name, network in checkpoint.networks.items()}
    if path.suffix == ".safetensors":
        tensors = {f"{name}.{key}": value for name, values in networks.items() for key, value in values.items()}
        save_file(tensors, path, metadata={"format": "pt", SETTINGS: config})
    else:
        torch.save({**networks, SETTINGS: config}, path)


def is_checkpoint(content: Mapping[str, Any]) -> bool:
    """Return whether this is the content of such a file."""
    return isinstance(content.get(SETTINGS), str) and any(is_state_dict(content.get(name)) for name in NETWORKS)


def nested(tensors: Mapping[str, Tensor], config: str) -> dict[str, Any]:
    """Return the content of a file of safetensors in the form of the other one."""
    content: dict[str, Any] = {}
    for name, value in tensors.items():
        network, _, key = name.partition(".")
        content.setdefault(network, {})[key] = value
    return {**content, SETTINGS: config}


def read(content: Mapping[str, Any], *, to_draw: bool = False) -> Checkpoint:
    """Return the networks of a file.

    Args:
        to_draw: read the generator to draw with alone.
    Raises: CheckpointError if they do not fit the settings beside them.
    """
    config = _config(content[SETTINGS])
    found = [name for name in NETWORKS if is_state_dict(content.get(name))]
    if to_draw and found[0] != "D":
        found = found[:1]
    module = _MODULES[config["architecture"]]
    networks: dict[str, Any] = {}
    for name in found:
        kind = "Discriminator" if name == "D" else "Generator"
        settings = config.get(kind.lower())
        if not isinstance(settings, dict):
            raise CheckpointError(f"its {SETTINGS} has no settings of the {kind.lower()}")
        networks[name] = rebuild(getattr(module, kind), settings, content[name])
        if name != "D":
            native.name_labels(networks[name], config, f"its {SETTINGS}")
    checkpoint = Checkpoint(**networks)
    return replace(checkpoint, **facts(config))


def _config(text: str) -> dict[str, Any]:
    """Return the settings of all networks. Raises: CheckpointError if the text is something else."""
    try:
        config = json.loads(text) if len(text) <= native.MOST_BYTES else None
    except (ValueError, RecursionError):
        config = None
    if (
        not isinstance(config, dict)
        or config.get("format") != native.FORMAT
        or config.get("architecture") not in tuple(_MODULES)  # a list is no key of a dict
    ):
        raise CheckpointError(f"its {SETTINGS} is not that of a checkpoint of {' or '.join(_MODULES)}")
    return config


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies with memory of their own: a view would be stored with all that it is a view of."""
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
