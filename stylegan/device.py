"""Where networks compute."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from stylegan.errors import StyleGANError

if TYPE_CHECKING:
    from stylegan.sampling.network import GeneratorLike


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """ "auto" is a GPU where there is one, else the CPU. Raises StyleGANError for a device that is not there."""
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        if str(device) == "meta":
            raise RuntimeError("it holds no numbers")
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise StyleGANError(f"device {str(device)!r} is not available here; use --device cpu or auto.") from error


def device_of(G: GeneratorLike) -> torch.device:
    """Where `G` computes."""
    tensors: Any = G.parameters()
    if isinstance(G, nn.Module):  # made for inference, some have no weights but only buffers
        tensors = chain(tensors, G.buffers())
    device: torch.device = next(iter(tensors)).device
    return device
