"""The interface of every generator of the family, which sampling and metrics rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class GeneratorLike(Protocol):
    """A mapping from z to ws, a synthesis from ws to images, and their widths."""

    z_dim: int
    c_dim: int
    img_resolution: int
    img_channels: int
    class_names: list[str] | None
    label_names: list[str] | None

    @property
    def num_ws(self) -> int:
        """Number of w that `synthesis` takes per image."""

    @property
    def w_dim(self) -> int:
        """Width of each w."""

    @property
    def mapping(self) -> Callable[..., Tensor]:
        """(z [N, z_dim], c [N, c_dim] or None, truncation_psi=, truncation_cutoff=) -> ws [N, num_ws, w_dim]"""

    @property
    def synthesis(self) -> Callable[..., Tensor]:
        """(ws [N, num_ws, w_dim], noise_mode=) -> img [N, C, H, W], nominally in [-1, 1]"""

    def parameters(self) -> Iterator[Any]:
        """The weights; their device is the one that the generator computes on."""


def device_of(G: GeneratorLike) -> torch.device:
    """Return the device on which `G` computes."""
    tensors: Any = G.parameters()
    if isinstance(G, nn.Module):  # an inference form may have buffers but no parameters
        tensors = chain(tensors, G.buffers())
    device: torch.device = next(iter(tensors)).device
    return device
