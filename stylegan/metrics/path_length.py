"""Perceptual path length: how fast the image changes along a path through a latent space. StyleGAN Sec. 4.1.

Measured with StyleGAN2's protocol: on straight paths in W, or arcs in Z, in steps of ε = 1e-4, at random places or at
the beginning of the path, with the same noise at both ends of a step.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.machine.surroundings import in_ordinary_torch
from stylegan.metrics.batches import shared
from stylegan.metrics.protocol import Score, random_latents
from stylegan.metrics.subject import Subject
from stylegan.sampling.generate import batched

EPSILON = 1e-4  # length of a step, in parts of the path
SIDE = 256  # pixels; larger images are averaged down to this side
PERCENTILES = (1, 99)  # the distances outside of these are left out


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Move along the arc between directions a and b [N, D] by the share t [N, 1]; returns unit vectors."""
    a, b = F.normalize(a), F.normalize(b)
    angle = t * (a * b).sum(1, keepdim=True).clamp(-1, 1).acos()
    across = F.normalize(b - (a * b).sum(1, keepdim=True) * a)
    return F.normalize(a * angle.cos() + across * angle.sin())


def prepared(images: Tensor, *, crop: bool) -> Tensor:
    """Return the part of images [N, C, R, R] that is compared, averaged down if R is 512 or more.

    Args:
        crop: only the middle, where the face is in aligned photos: rows 3/8 to 7/8 and columns 2/8 to 6/8.
    """
    side = images.shape[-1]
    if crop:
        c = side // 8
        images = images[:, :, 3 * c : 7 * c, 2 * c : 6 * c]
    factor = side // SIDE
    return F.avg_pool2d(images, factor) if factor > 1 else images


def trimmed_mean(distances: np.ndarray) -> float:
    """Return the mean of the distances from the 1st to the 99th percentile."""
    low = np.percentile(distances, PERCENTILES[0], method="lower")
    high = np.percentile(distances, PERCENTILES[1], method="higher")
    return float(distances[(distances >= low) & (distances <= high)].mean())


def measure(subject: Subject, *, space: str, full: bool, crop: bool) -> Score:
    """Measure the perceptual path length of a network, over `num` steps.

    Args:
        space: "z" or "w".
        full: at random places of the paths, not at their beginning.
        crop: see `prepared`.
    """
    G = subject.generator
    subject.check()
    batch = max(1, min(8, 8 * SIDE**2 // G.img_resolution**2))
    key = f"ppl_{space}{'full' if full else 'end'}{'_crop' * crop}"

    def steps(mine: range) -> Iterator[Tensor]:
        return in_ordinary_torch(_distances(subject, batch, mine, space=space, full=full, crop=crop), gradients=False)

    with subject.forked_random_numbers():
        batches = shared(subject.num, batch, subject.world, steps)
        distances = subject.rows(key, batches, subject.num, lambda found: found, "Moving")
    return subject.score(key, trimmed_mean(distances.flatten().double().numpy()))


def _distances(subject: Subject, batch: int, mine: range, *, space: str, full: bool, crop: bool) -> Iterator[Tensor]:
    """Yield the distances of steps divided by ε², [N, 1]."""
    G, distance = subject.generator, subject.features
    rng = torch.Generator().manual_seed(subject.seed)
    for i, part in enumerate(batched(range(subject.num), batch)):
        z0, c = random_latents(G, len(part), subject.dataset, rng)
        z1 = torch.randn(z0.shape, generator=rng).to(z0.device)
        t = (torch.rand(len(part), 1, generator=rng) * full).to(z0.device)
        if i not in mine:
            continue
        if space == "z":
            ends = [G.mapping(slerp(z0, z1, x), c) for x in (t, t + EPSILON)]
        else:
            w0, w1 = G.mapping(z0, c), G.mapping(z1, c)
            ends = [w0.lerp(w1, x[:, :, None]) for x in (t, t + EPSILON)]
        noise = int(np.random.SeedSequence([subject.seed, i]).generate_state(1)[0])
        images = []
        for ws in ends:
            torch.manual_seed(noise)
            images.append(prepared(G.synthesis(ws, noise_mode="random").float(), crop=crop))
        yield distance(*images).float().cpu()[:, None] / EPSILON**2
