"""Rebuild a network from its settings and its tensors, without trusting either.

The settings of a network check themselves before anything is built. The network is then built without memory for its
tensors, and takes those of the file once their names and shapes are known to fit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stylegan.errors import CheckpointError, MissingExtra, StyleGANError
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator
from stylegan.ops.number_formats import wide

N = TypeVar("N", bound=FamilyGenerator | FamilyDiscriminator)
MOST_VALUES = 2**30  # in one network, 4 GB; the largest published ones have a tenth
SPARE = 64 << 20  # bytes that tensors may have beyond 4 times their storages, as expanded and shared ones do


def empty(network_class: type[N], settings: Mapping[str, Any]) -> N:
    """Return a network on the meta device, with shapes and without values.

    Raises: CheckpointError for settings that are unknown or out of bounds; MissingExtra if it needs an absent package.
    """
    try:
        with torch.device("meta"):
            return network_class(**settings)
    except MissingExtra:
        raise
    except (RuntimeError, TypeError, StyleGANError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(reason.rstrip(".")) from error


def require_shapes(network: nn.Module, shapes: Mapping[str, Sequence[int]]) -> None:
    """Raises: CheckpointError unless the named shapes are those of the network."""
    expected = {name: list(value.shape) for name, value in network.state_dict().items()}
    count = sum(value.numel() for value in network.state_dict().values())
    if count > MOST_VALUES:
        raise CheckpointError(f"its settings ask for {count:,} values, at most {MOST_VALUES:,} are expected")
    for name, shape in shapes.items():
        if name not in expected:
            raise CheckpointError(f"tensor {name[:200]} is not part of the network that its settings describe")
        if list(shape) != expected[name]:
            raise CheckpointError(f"tensor {name} has shape {list(shape)[:9]}, its settings ask for {expected[name]}")
    if missing := [name for name in expected if name not in shapes]:
        raise CheckpointError(f"tensor {missing[0]} is missing")


def fill(network: N, tensors: Mapping[str, Tensor]) -> N:
    """Give a network of `empty` its tensors on the CPU; return it in eval mode, without gradients.

    Half-precision tensors become float32; a network with float64 tensors is in float64.

    Raises: CheckpointError unless names and shapes fit.
    """
    require_shapes(network, {name: value.shape for name, value in tensors.items()})
    _require_stored(tensors.values())
    for name, value in tensors.items():
        if not value.is_floating_point():
            raise CheckpointError(f"tensor {name} has datatype {str(value.dtype).removeprefix('torch.')}, not float32")
        if name.rpartition(".")[2] == "lod" and not value.isfinite():  # it selects the layers to run
            raise CheckpointError(f"level of detail {name} is {float(value):g}, a finite number is expected")
    network.load_state_dict({name: wide(v.detach().cpu()).contiguous() for name, v in tensors.items()}, assign=True)
    if any(value.dtype == torch.float64 for value in tensors.values()):
        network.double()
    network.eval().requires_grad_(False)
    return network


def _require_stored(tensors: Collection[Tensor]) -> None:
    """Raises: CheckpointError for far more bytes than are stored: copies of a small file could fill the memory."""
    stored = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in tensors}
    count, most = sum(value.nbytes for value in tensors), 4 * sum(stored.values()) + SPARE
    if count > most:
        raise CheckpointError(f"its tensors have {count:,} bytes, but its storages have {sum(stored.values()):,}")


def rebuild(network_class: type[N], settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> N:
    """Return the network with these settings and tensors. Raises: CheckpointError unless they fit together."""
    return fill(empty(network_class, settings), tensors)
