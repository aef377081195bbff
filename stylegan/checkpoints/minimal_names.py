"""State dicts of the minimal StyleGAN2, in the names of its specification, of one module or of several.

A file may hold a dict for each module or one dict with a prefix for each. The average of w is estimated if the file
does not have it, and the noise is drawn from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.official_names import Shapes
from stylegan.checkpoints.rebuild import empty, fill
from stylegan.checkpoints.substitutes import average_w, missing_noise
from stylegan.errors import CheckpointError
from stylegan.networks.minimal_gan import Discriminator, Generator

# The first tensor of each of the three modules
_SYNTHESIS, _MAPPING, _DISCRIMINATOR = "initial_constant", "net.0.weight.weight", "from_rgb.0.weight.weight"


def flat(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a dict and of the dicts in it, by dotted names."""
    found = {}
    for name, value in content.items():
        if isinstance(value, Tensor):
            found[str(name)] = value
        elif isinstance(value, dict):
            found |= {f"{name}.{inner}": tensor for inner, tensor in value.items() if isinstance(tensor, Tensor)}
    return found


def is_checkpoint(content: Mapping[str, Any]) -> bool:
    """Return whether this dict, or one in it, has the names of a minimal network."""
    return any(name.endswith((_SYNTHESIS, _MAPPING, _DISCRIMINATOR)) for name in flat(content))


def read(content: Mapping[str, Any], *, to_draw: bool = False) -> Checkpoint:
    """Return the networks of an unpickled file.

    Args:
        to_draw: leave out the discriminator.
    Raises: CheckpointError if a generator comes without its mapping network, or if tensors do not fit together.
    """
    tensors = flat(content)
    synthesis, mapping = _part(tensors, _SYNTHESIS), _part(tensors, _MAPPING)
    judged = _part(tensors, _DISCRIMINATOR)
    if bool(synthesis) != bool(mapping):
        missing, present = ("mapping network", "generator") if synthesis else ("generator", "mapping network")
        raise CheckpointError(
            f"holds the {present} of a minimal StyleGAN2 without its {missing}; save both in one file"
        )
    return Checkpoint(
        G_ema=_generator(synthesis, mapping) if synthesis else None,
        D=_discriminator(judged) if judged and not (to_draw and synthesis) else None,
        origin="a state dict of the minimal StyleGAN2",
    )


def _part(tensors: Mapping[str, Tensor], first: str) -> dict[str, Tensor]:
    """Return the tensors of the module with the tensor `first`, without its prefix; none without it."""
    prefixes = sorted({name.removesuffix(first) for name in tensors if name.endswith(first)})
    if not prefixes:
        return {}
    if len(prefixes) > 1:
        raise CheckpointError(f"holds several modules with a tensor {first}, one is expected")
    return {n.removeprefix(prefixes[0]): value for n, value in tensors.items() if n.startswith(prefixes[0])}


def _generator(synthesis: Mapping[str, Tensor], mapping: Mapping[str, Tensor]) -> Generator:
    shapes, layers = Shapes(synthesis), Shapes(mapping).layers(r"net\.\d{1,7}\.weight\.weight$")
    blocks = shapes.layers(r"blocks\.\d{1,3}\.style_block1\.bias$") + 1
    constant = shapes[_SYNTHESIS, 1]
    last = shapes[f"blocks.{blocks - 2}.style_block2.bias", 0] if blocks > 1 else constant
    features = Shapes(mapping)[_MAPPING, 0]
    network = empty(
        Generator,
        {
            "z_dim": features,
            "w_dim": features,
            "img_resolution": 4 << min(blocks - 1, 20),
            "mapping_layers": layers,
            "n_features": last,
            "max_features": constant,
        },
    )
    known = network.state_dict()
    own = {f"synthesis.{name}": value for name, value in synthesis.items() if f"synthesis.{name}" in known}
    own |= {f"mapping.{name}": value for name, value in mapping.items() if f"mapping.{name}" in known}
    averaged = "mapping.w_avg" in own
    if not averaged:
        own["mapping.w_avg"] = torch.zeros(features)
    network = fill(network, own | missing_noise(network, own))
    if not averaged:
        network.mapping.w_avg.copy_(average_w(network))
    return network


def _discriminator(tensors: Mapping[str, Tensor]) -> Discriminator:
    shapes = Shapes(tensors)
    blocks = shapes.layers(r"blocks\.\d{1,3}\.block\.0\.bias$")
    settings = {
        "img_resolution": 4 << min(blocks, 20),
        "n_features": shapes[_DISCRIMINATOR, 0],
        "max_features": max(shapes["conv.bias", 0] - 1, shapes[_DISCRIMINATOR, 0]),
    }
    network = empty(Discriminator, settings)
    known = network.state_dict()
    return fill(network, {f"net.{name}": value for name, value in tensors.items() if f"net.{name}" in known})
