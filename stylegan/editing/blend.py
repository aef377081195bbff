"""Blend two networks: some layers of the one move towards those of the other.

Resolution dependent interpolation, Pinkney & Adler 2020: a network that was trained further on other images keeps the
meaning of its layers, so that the coarse layers of one and the fine ones of the other draw images together.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.editing.styles import affine_layers
from stylegan.errors import ConfigError
from stylegan.networks.family import architecture_of
from stylegan.networks.generator import FamilyGenerator

NOISE = "noise_const"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A network of a blend, with what its checkpoint says about it."""

    name: str
    G: FamilyGenerator
    licence: str | None = None


def blended_checkpoint(a: Part, b: Part, alpha: float, layers: Sequence[int] | None = None) -> Checkpoint:
    """Return a checkpoint with the network of `blended`, which names both and keeps to both licences."""
    where = "" if layers is None else f" in the layers {','.join(map(str, layers))}"
    licences = [part.licence or "not stated" for part in (a, b)]
    return Checkpoint(
        G_ema=blended(a.G, b.G, alpha, layers),
        origin=f"blend of {a.name} and {b.name}, alpha {alpha:g}{where}",
        licence=a.licence if a.licence == b.licence else f"both {licences[0]} and {licences[1]}",
    )


@torch.no_grad()
def blended(
    G: FamilyGenerator, other: FamilyGenerator, alpha: float, layers: Sequence[int] | None = None
) -> FamilyGenerator:
    """Return a network between two of the same architecture and size.

    Its mapping network is that of `G`, so latents and directions of `G` fit. The official order of layers decides what
    belongs to which row of ws; a toRGB belongs to the row that it takes, other tensors of a block to its nearest layer.

    Args:
        G, other: not prepared for inference, on one device.
        alpha: 0 gives the layers of `G`, 1 those of the other.
        layers: rows of ws whose layers move; None for all.
    Raises: ConfigError for networks that do not fit, without affine layers, or alpha outside 0 to 1.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha of a blend is from 0 to 1, got {alpha}.")
    mine, theirs = G.synthesis.state_dict(), other.synthesis.state_dict()
    if architecture_of(G) != architecture_of(other) or _shapes(mine) != _shapes(theirs):
        raise ConfigError(
            f"networks of one architecture and size can be blended, got {_words(G)} and {_words(other)}; choose one "
            "that was trained further from the other."
        )
    rows = rows_of(G)
    weights = {name: alpha if layers is None or row in layers else 0.0 for name, row in rows.items()}
    found = copy.deepcopy(G)
    found.synthesis.load_state_dict(
        {name: _between(name, value, theirs[name], weights[name]) for name, value in mine.items()}
    )
    return found


def rows_of(G: FamilyGenerator) -> dict[str, int]:
    """Return the row of ws that each tensor of the synthesis network belongs to, by its name.

    Raises: ConfigError for a network without affine layers.
    """
    layers = {name.removesuffix("affine"): row for name, row in affine_layers(G).items()}  # "b8.conv0." -> 2
    found: dict[str, int] = {}
    block, last = "", 0
    for name in G.synthesis.state_dict():
        own = next((row for prefix, row in layers.items() if name.startswith(prefix)), None)
        if own is None:
            if (current := name.partition(".")[0]) != block:  # the first tensors of a block belong to its first layer
                inside = [row for prefix, row in layers.items() if prefix.startswith(f"{current}.")]
                last = min(inside, default=0)
            own = last
        block, last = name.partition(".")[0], own
        found[name] = own
    return found


def _between(name: str, a: Tensor, b: Tensor, alpha: float) -> Tensor:
    if alpha == 0 or not a.is_floating_point():
        return a
    if name.endswith(NOISE):  # noise is mixed so that it keeps its variance
        return math.sqrt(1 - alpha) * a + math.sqrt(alpha) * b.to(a)
    return torch.lerp(a, b.to(a), alpha)


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in tensors.items()}


def _words(G: FamilyGenerator) -> str:
    weights = sum(parameter.numel() for parameter in G.synthesis.parameters())
    return f"{architecture_of(G)} of {G.img_resolution} px with {weights:,} weights"
