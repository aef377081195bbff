"""Nearest neighbors in feature space: precision and recall, density and coverage, authenticity.

The manifold of a set of images is approximated by a ball around each feature, whose radius is the distance to its k-th
nearest neighbor in the same set. All distances are Euclidean, compared as squares in float64.

- precision and recall: Kynkäänniemi et al. 2019, Eq. 2
- density and coverage: Naeem et al. 2020, Eqs. 3 and 4
- authenticity: Alaa et al. 2022, Sec. 3
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from stylegan.errors import ShapeError
from stylegan.metrics.protocol import Score
from stylegan.metrics.subject import Subject

K_OF_PRECISION = 3  # neighbors, for precision and recall
K_OF_DENSITY = 5  # neighbors, for density and coverage
PAIRS = 32  # nearest pairs that an authenticity lists
_BLOCK = 512  # rows of a matrix of distances that are in memory


def precision(real: Tensor, fake: Tensor, k: int = K_OF_PRECISION) -> float:
    """Return the share of fake features [M, F] that are in the manifold of the real ones [N, F], from 0 to 1.

    Recall is the same with the two exchanged.
    """
    radii = _squared_radii(real, k)
    inside = [(d <= radii).any(1) for d in squared_distances(fake, real)]
    return float(torch.cat(inside).double().mean())


def density(real: Tensor, fake: Tensor, k: int = K_OF_DENSITY) -> float:
    """Return how many balls of real features [N, F] a fake one [M, F] is inside, on average, divided by k.

    1 for sets that are alike; more if the fake features crowd together where real ones do.
    """
    radii = _squared_radii(real, k)
    balls = [(d < radii).sum(1) for d in squared_distances(fake, real)]
    return float(torch.cat(balls).double().mean() / k)


def coverage(real: Tensor, fake: Tensor, k: int = K_OF_DENSITY) -> float:
    """Return the share of the balls of real features [N, F] that hold a fake one [M, F], from 0 to 1."""
    nearest = torch.cat([d.amin(1) for d in squared_distances(real, fake)])
    return float((nearest < _squared_radii(real, k)).double().mean())


def nearest_reals(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Find the real feature that is nearest to each fake one, and compare its own neighborhood.

    Returns: [M] int64, the numbers of the real features; and [M] float64, the distance to it divided by its distance to
        the nearest other real feature. A generator that copies images has ratios near 0.
    """
    own = _squared_radii(real, 1).cpu()
    found = [d.min(1) for d in squared_distances(fake, real)]
    squared = torch.cat([f.values for f in found]).cpu()
    numbers = torch.cat([f.indices for f in found]).cpu()
    # Two equal real images are no distance apart; a copy of them is a copy all the same.
    ratio = torch.where(squared == 0, 0.0, squared / own[numbers]).sqrt()
    return numbers, ratio


def authenticity(ratios: Tensor) -> float:
    """Return the share of generated images that are farther from the nearest real image than that is from another."""
    return float((ratios > 1).double().mean())


def squared_distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Yield the squared distances of features a [N, F] from b [M, F], float64 [at most 512, M], row by row."""
    b = b.double()
    squares = b.square().sum(1)
    for block in a.split(_BLOCK):
        x = block.double()
        # Both sums first: the distance of a from b is then that of b from a to the last bit, as `density` needs.
        yield torch.addmm(x.square().sum(1, keepdim=True) + squares, x, b.mT, alpha=-2).clamp_(min=0)


def _squared_radii(x: Tensor, k: int) -> Tensor:
    """Return the squared distance of each feature [N, F] from its k-th nearest neighbor, [N]."""
    if len(x) <= k:
        raise ShapeError(f"{k} nearest neighbors need more than {k} images, got {len(x)}; use more.")
    return torch.cat([d.kthvalue(k + 1, dim=1).values for d in squared_distances(x, x)])  # the first is itself


def _features(subject: Subject, k: int) -> tuple[Tensor, Tensor]:
    """Return real and fake features on the device that compares them, without their common mean, which no distance
    needs and which would cost digits."""
    subject.check(least=k + 1)
    real, fake = subject.real_features(), subject.fakes()
    mean = real.mean(0)
    return (real - mean).to(subject.device), (fake - mean).to(subject.device)


def _compare(subject: Subject, key: str, k: int, compute: Callable[[Tensor, Tensor, int], float]) -> Score:
    real, fake = _features(subject, k)
    value = subject.on_main(lambda: compute(real, fake, k))
    return subject.score(key, value, reals=len(real), details={"neighbors": k})


def measure_precision(subject: Subject) -> Score:
    """Measure the precision of a subject: the share of its images that look like real ones."""
    return _compare(subject, "precision", K_OF_PRECISION, precision)


def measure_recall(subject: Subject) -> Score:
    """Measure the recall of a subject: the share of the real images that it could have drawn."""
    return _compare(subject, "recall", K_OF_PRECISION, lambda real, fake, k: precision(fake, real, k))


def measure_density(subject: Subject) -> Score:
    """Measure the density of a subject, see `density`."""
    return _compare(subject, "density", K_OF_DENSITY, density)


def measure_coverage(subject: Subject) -> Score:
    """Measure the coverage of a subject, see `coverage`."""
    return _compare(subject, "coverage", K_OF_DENSITY, coverage)


def measure_authenticity(subject: Subject) -> Score:
    """Measure the authenticity of a subject; the details list the generated images that look most like copies.

    Each is [its number, the number of the nearest real image, the ratio of `nearest_reals`].
    """
    real, fake = _features(subject, 1)

    def compute() -> tuple[float, list[list[float]]]:
        numbers, ratios = nearest_reals(real, fake)
        order = ratios.argsort(stable=True)[:PAIRS].tolist()
        return authenticity(ratios), [[i, int(numbers[i]), float(ratios[i])] for i in order]

    value, pairs = subject.on_main(compute)
    return subject.score("authenticity", value, reals=len(real), details={"nearest": pairs})
