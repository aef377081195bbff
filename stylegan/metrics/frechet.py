"""The Fréchet distance of two sets of feature vectors, each modeled as a Gaussian. Heusel et al. 2017, Eq. 6."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from stylegan.errors import ShapeError


@dataclass(frozen=True)
class FeatureStatistics:
    """Sums over n feature vectors, in float64 on the CPU. The sums of two sets add up to those of their union."""

    n: int
    sum: Tensor  # [F], sum of x
    outer: Tensor  # [F, F], sum of x xᵀ

    @classmethod
    def of(cls, features: Tensor) -> FeatureStatistics:
        """Sum [N, F] features of any float dtype. Raises: ShapeError for other shapes."""
        if features.ndim != 2:
            raise ShapeError(f"features have the shape [N, F], got {list(features.shape)}.")
        x = features.detach().cpu().double()
        return cls(len(x), x.sum(0), x.T @ x)

    @classmethod
    def of_rows(cls, features: Tensor, rows: int = 4096) -> FeatureStatistics:
        """Sum [N, F] features, some rows at a time, so that no copy of all in float64 is needed."""
        total = cls.none(features.shape[1])
        for part in features.split(rows):
            total += cls.of(part)
        return total

    @classmethod
    def none(cls, feature_dim: int) -> FeatureStatistics:
        """The statistics of an empty set."""
        return cls.of(torch.zeros(0, feature_dim))

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> FeatureStatistics:
        """The inverse of `tensors`."""
        return cls(int(tensors["n"]), tensors["sum"], tensors["outer"])

    def tensors(self) -> dict[str, Tensor]:
        """Return all by name, to be written to a file."""
        return {"n": torch.tensor(self.n), "sum": self.sum, "outer": self.outer}

    def __add__(self, other: FeatureStatistics) -> FeatureStatistics:
        return FeatureStatistics(self.n + other.n, self.sum + other.sum, self.outer + other.outer)

    @property
    def mean(self) -> Tensor:
        """The mean, [F]."""
        return self.sum / self.n

    @property
    def cov(self) -> Tensor:
        """The covariance, [F, F], divided by n as in the official PyTorch tools (n - 1 in the TensorFlow ones)."""
        return self.outer / self.n - self.mean.outer(self.mean)


def frechet_distance(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """Compute |μ_a - μ_b|² + Tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½), at least 0; covariances may be singular.

    Raises: ShapeError for features of different widths or an empty set.
    """
    if a.sum.shape != b.sum.shape or min(a.n, b.n) < 1:
        raise ShapeError(
            f"a Fréchet distance takes features of one width, got {a.n} of {len(a.sum)} and {b.n} of {len(b.sum)}."
        )
    # With Σ_a = R Rᵀ, the product Σ_a Σ_b has the eigenvalues of Rᵀ Σ_b R, which is symmetric.
    root = _root(a.cov)
    eigenvalues = torch.linalg.eigvalsh(root.T @ b.cov @ root)
    trace_of_root = eigenvalues.clamp(min=0).sqrt().sum()
    distance = (a.mean - b.mean).square().sum() + a.cov.trace() + b.cov.trace() - 2 * trace_of_root
    return max(0.0, distance.item())  # rounding leaves -1e-10 of 0


def _root(cov: Tensor) -> Tensor:
    """Find R [F, rank] with R Rᵀ = cov, without the directions of rounding noise, whose square roots would add up."""
    eigenvalues, vectors = torch.linalg.eigh(cov)
    kept = eigenvalues > eigenvalues.max() * len(cov) * torch.finfo(cov.dtype).eps
    return vectors[:, kept] * eigenvalues[kept].sqrt()
