"""Interpolation: a seamless loop through several seeds or classes and back to the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import map_latents
from stylegan.sampling.labels import Label, class_labels
from stylegan.sampling.latent import Latent, check_space
from stylegan.sampling.latents import latents

SPACES = ("w", "z", "circle")
AT_ONCE = 256  # z of a circle that are mapped together
EASINGS = ("linear", "smooth")


def eased(t: Tensor, easing: str) -> Tensor:
    """Return the part of the way from 0 to 1 at times t from 0 to 1: "smooth" rests at both ends."""
    return t * t * (3 - 2 * t) if easing == "smooth" else t


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Interpolate from a to b along the great circle between their directions. Shoemake 1985, White 2016.

    A straight line between two Gaussian z passes near the origin, where Gaussian z are practically never found; the
    arc avoids that region. The length changes linearly from that of a to that of b.

    a [D], b [D], t [T] in [0, 1] -> [T, D]
    """
    device = a.device
    # acos near 1 loses half its digits in float32, and MPS has no float64.
    a, b, t = a.cpu().double(), b.cpu().double(), t.cpu().double()[:, None]
    len_a, len_b = a.norm(), b.norm()
    a, b = a / len_a, b / len_b
    omega = torch.acos((a @ b).clamp(-1, 1))
    if omega.sin() < 1e-6:  # equal or opposite directions have no unique great circle
        direction = torch.lerp(a, b, t)
    else:
        direction = (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / omega.sin()
    return (direction * torch.lerp(len_a, len_b, t)).float().to(device)


def circle(z: Tensor, frames: int) -> Tensor:
    """Return a closed curve in z with no beginning and no corner, a noise loop.

        z(t) = sqrt(2 / N) * sum over k of cos(2 pi k t) z[2k - 2] + sin(2 pi k t) z[2k - 1],   k = 1 ... N / 2

    Each point of it is as typical as a random z, since the squares of the weights add up to 1. Two z give a circle;
    each further pair adds a movement that is faster by one turn.

    z [N, D] with an even N -> [frames, D]. Raises: ConfigError for an odd N.
    """
    if len(z) % 2:
        raise ConfigError(f"a circle needs an even number of seeds, got {len(z)}.")
    t = torch.arange(frames, dtype=torch.float64, device="cpu") / frames
    k = torch.arange(1, len(z) // 2 + 1, dtype=torch.float64, device="cpu")
    angle = 2 * torch.pi * t[:, None] * k  # [frames, N / 2]
    weights = torch.stack([angle.cos(), angle.sin()], 2).flatten(1) * (2 / len(z)) ** 0.5
    return (weights @ z.cpu().double()).float().to(z.device)


def loop(
    G: GeneratorLike,
    seeds: Sequence[int | Latent],
    frames: int,
    *,
    space: str = "w",
    easing: str = "linear",
    labels: Sequence[Label] = (),
    psi: float = 1.0,
    cutoff: int | None = None,
) -> Iterator[Latent]:
    """Return the latent of every image of the loop, for `draw`.

    Args:
        seeds: the loop passes exactly through each, in this order. One seed is enough with several labels. A `Latent`
            can take the place of a number in the space "w".
        frames: images from one seed to the next, including the first of the two.
        space: "w" follows a straight line in w; "z" follows an arc in z and a straight line in c; "circle" passes
            through none but is smooth everywhere, see `circle`.
        easing: "linear" moves evenly; "smooth" slows down at each seed. A circle is always even.
        labels: none, one for all seeds, one for each seed, or several for one seed; see `label_vector`.
        psi, cutoff: as in `generate_images`.
    Yields: `frames` times for each seed or label; the step from the last to the first has the same
        size as the others.
    Raises: ConfigError for fewer than two seeds or labels, no frames, an unknown space, a latent in the space "z", or a
        number of labels that does not fit.
    """
    stations = max(len(seeds), len(labels))
    if stations < 2:
        raise ConfigError(f"a loop needs at least two seeds, such as 0-3, got {len(seeds)}.")
    if len(seeds) not in (1, stations) or len(labels) not in (0, 1, stations):
        raise ConfigError(f"a loop takes one seed for all labels or one for each, got {len(seeds)} and {len(labels)}.")
    if frames < 1:
        raise ConfigError(f"a loop needs at least 1 frame from seed to seed, got {frames}.")
    if space not in SPACES:
        raise ConfigError(f"space must be one of {', '.join(SPACES)}, got {space!r}.")
    if easing not in EASINGS:
        raise ConfigError(f"easing must be one of {', '.join(EASINGS)}, got {easing!r}.")
    rows = [class_labels(G, label, 1) for label in labels or (None,)]
    c = None if rows[0] is None else torch.cat([row for row in rows if row is not None]).expand(stations, -1)
    t = eased(torch.arange(frames, dtype=torch.float32, device="cpu") / frames, easing)
    if space == "w":
        points = list(seeds) * (stations if len(seeds) == 1 else 1)
        return _through_w(G, points, c, t, psi=psi, cutoff=cutoff)
    numbers = [seed for seed in seeds if not isinstance(seed, Latent)]
    if len(numbers) < len(seeds):
        raise ConfigError("a latent has no z; interpolate it in the `space` w.")
    if space == "circle":
        if len(labels) > 1:
            raise ConfigError(f"a circle has one label for all of the loop, got {len(labels)}.")
        return _around(G, circle(latents(numbers, G.z_dim), frames * stations), c, psi=psi, cutoff=cutoff)
    return _through_z(G, latents(numbers, G.z_dim).expand(stations, -1), c, t, psi=psi, cutoff=cutoff)


def _through_w(
    G: GeneratorLike, points: Sequence[int | Latent], c: Tensor | None, t: Tensor, **truncation: Any
) -> Iterator[Latent]:
    numbered = [k for k, point in enumerate(points) if not isinstance(point, Latent)]
    z = latents([cast(int, points[k]) for k in numbered], G.z_dim)
    ws = iter(map_latents(G, z, c[numbered] if c is not None else None, **truncation) if numbered else ())
    stations = [point if isinstance(point, Latent) else Latent(ws=next(ws)) for point in points]
    for station in stations:
        check_space(station, G)
    own = dict(cast(nn.Module, G.synthesis).named_buffers()) if any(s.noise for s in stations) else {}
    for k, station in enumerate(stations):
        for weight in t.tolist():
            yield station.towards(stations[(k + 1) % len(stations)], weight, own)


def _through_z(G: GeneratorLike, z: Tensor, c: Tensor | None, t: Tensor, **truncation: Any) -> Iterator[Latent]:
    for i in range(len(z)):
        j = (i + 1) % len(z)
        between = None if c is None else torch.lerp(c[i], c[j], t[:, None])
        yield from (Latent(ws=ws) for ws in map_latents(G, slerp(z[i], z[j], t), between, **truncation))


def _around(G: GeneratorLike, z: Tensor, c: Tensor | None, **truncation: Any) -> Iterator[Latent]:
    for part in z.split(AT_ONCE):
        label = None if c is None else c[:1].expand(len(part), -1)
        yield from (Latent(ws=ws) for ws in map_latents(G, part, label, **truncation))
