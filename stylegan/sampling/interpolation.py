"""A seamless loop through several seeds: from each to the next, and from the last back to the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.sampling.generate import seeds_to_ws, z_to_ws
from stylegan.sampling.latents import latents
from stylegan.sampling.network import GeneratorLike

SPACES = ("w", "z")


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """From a to b along the great circle between their directions. Shoemake 1985, White 2016.

    A straight line between two Gaussian z passes through a region near the origin where Gaussian z never lie; the
    arc does not. The length goes evenly from that of a to that of b.

    a [D], b [D], t [T] in [0, 1] -> [T, D]
    """
    a, b, t = a.double(), b.double(), t.double()[:, None]  # acos near 1 loses half its digits
    len_a, len_b = a.norm(), b.norm()
    a, b = a / len_a, b / len_b
    omega = torch.acos((a @ b).clamp(-1, 1))
    if omega.sin() < 1e-6:  # no single great circle: one direction, or two opposite ones
        direction = torch.lerp(a, b, t)
    else:
        direction = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / omega.sin()
    return (direction * torch.lerp(len_a, len_b, t)).float()


def loop(
    G: GeneratorLike,
    seeds: Sequence[int],
    frames: int,
    *,
    space: str = "w",
    class_index: int | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
) -> Iterator[Tensor]:
    """The ws of every picture of the loop; hand them to `generate.draw`.

    Args:
        seeds: at least two; the loop passes each exactly, in this order.
        frames: pictures from one seed to the next, the first of the two included.
        space: "w" goes straight through w, "z" along an arc through z.
        class_index, psi, cutoff: as in `generate`.
    Yields: len(seeds) * frames times [num_ws, w_dim]; after the last, the first follows with the same step.
    Raises: ConfigError for fewer than two seeds, no frames, or another space.
    """
    if len(seeds) < 2:
        raise ConfigError(f"a loop moves between seeds, got only {len(seeds)}; name at least two, such as 0-3.")
    if frames < 1:
        raise ConfigError(f"a loop needs at least 1 frame from seed to seed, got {frames}.")
    if space not in SPACES:
        raise ConfigError(f"space must be one of {', '.join(SPACES)}, got {space!r}.")
    segments = _through_w if space == "w" else _through_z
    return segments(G, seeds, torch.arange(frames) / frames, class_index=class_index, psi=psi, cutoff=cutoff)


def _through_w(G: GeneratorLike, seeds: Sequence[int], t: Tensor, **mapping) -> Iterator[Tensor]:
    ws = seeds_to_ws(G, seeds, **mapping)
    for a, b in zip(ws, ws.roll(-1, 0), strict=True):
        for weight in t.tolist():
            yield torch.lerp(a, b, weight)


def _through_z(G: GeneratorLike, seeds: Sequence[int], t: Tensor, **mapping) -> Iterator[Tensor]:
    z = latents(seeds, G.z_dim)
    for a, b in zip(z, z.roll(-1, 0), strict=True):
        yield from z_to_ws(G, slerp(a, b, t), **mapping)
