"""Substitutes for what some files leave out: widths as settings, filters, constant noise, and the average w."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from stylegan.errors import CheckpointError
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.generator import FamilyGenerator
from stylegan.ops import setup_filter

AVERAGED = 4096  # values of w


def widths(channels: Mapping[int, int]) -> dict[str, int]:
    """Return the `channel_base` and `channel_max` with which each resolution has the given number of channels.

    Raises: CheckpointError if there are none.
    """
    if not channels:
        raise CheckpointError("it has no blocks")
    most, base = max(channels.values()), max(count * resolution for resolution, count in channels.items())
    if any(min(base // resolution, most) != count for resolution, count in channels.items()):
        raise CheckpointError(f"its widths {channels} follow from no channel_base and channel_max")
    return {"channel_base": base, "channel_max": most}


def missing_filters(
    network: FamilyGenerator | FamilyDiscriminator, present: Iterable[str], taps: Mapping[str, Sequence[float]]
) -> dict[str, Tensor]:
    """Return the constant filters of a network that are not `present`, by the taps for each ending of a name."""
    missing = sorted(set(network.state_dict()) - set(present))
    return {name: setup_filter(f) for name in missing for ending, f in taps.items() if name.endswith(ending)}


def missing_noise(network: FamilyGenerator, present: Iterable[str]) -> dict[str, Tensor]:
    """Return constant noise for the layers whose own is not `present`; it is the same at each call."""
    source, present = torch.Generator().manual_seed(0), set(present)
    return {
        name: torch.randn(value.shape, generator=source)
        for name, value in network.state_dict().items()
        if name.split(".")[-1].startswith("noise_const") and name not in present
    }


@torch.no_grad()
def average_w(G: FamilyGenerator) -> Tensor:
    """Return the mean w of `AVERAGED` latents without labels, [w_dim]; it is the same at each call."""
    z = torch.randn([AVERAGED, G.z_dim], generator=torch.Generator().manual_seed(0))
    return G.mapping.w(z, None).mean(0)


def taps_of(f: Tensor, default: Sequence[float] = (1, 3, 3, 1)) -> Sequence[float]:
    """Return the taps of a separable low-pass filter [T] or [T, T]; the default in its customary numbers.

    Raises: CheckpointError for a filter without taps.
    """
    if f.ndim not in (1, 2) or not 0 < f.numel() <= 64**2:
        raise CheckpointError(f"its filter has shape {list(f.shape)[:9]}, 4x4 is usual")
    taps = f.detach().float()
    taps = (taps.sum(0) if f.ndim == 2 else taps) / taps.sum()
    usual = torch.tensor(default) / sum(default)
    return default if taps.shape == usual.shape and torch.allclose(taps, usual, atol=1e-4) else taps.tolist()
