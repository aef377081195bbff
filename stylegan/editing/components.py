"""Directions without labels: principal components of w and of feature maps, and closed-form factorization."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylegan.editing.directions import Direction, measured
from stylegan.editing.feature_maps import FeatureMaps
from stylegan.editing.styles import affine_layers, affine_matrix
from stylegan.errors import ConfigError
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.latent import space_of


def pca_in_w(G: FamilyGenerator, w: Tensor, *, count: int, layers: Sequence[int] | None = None) -> list[Direction]:
    """Return the principal components of w, largest first. GANSpace, Härkönen et al. 2020, Sec. 2.2.

    Args:
        w: random w, [N, w_dim].
        layers: rows of ws that the directions move; None for all.
    Raises: ConfigError for more components than w has.
    """
    _check_count(count, min(w.shape[1], len(w) - 1))
    _, _, vh = torch.linalg.svd(_centered(w), full_matrices=False)
    return _named(G, w, vh[:count], "pca", layers)


def pca_in_features(
    G: FamilyGenerator,
    w: Tensor,
    *,
    count: int,
    layers: Sequence[int] | None = None,
    resolution: int = 8,
    batch: int = 32,
) -> list[Direction]:
    """Return the directions in w that best explain the principal components of feature maps, largest first.

    The coordinates of the feature maps along their components are regressed on w. GANSpace Sec. 2.3.

    Args:
        w: random w, [N, w_dim]; a few hundred.
        resolution: pixels per side of the feature maps at most.
    Raises: ConfigError for more components than samples.
    """
    _check_count(count, min(w.shape[1], len(w) - 1))
    maps = FeatureMaps(G, resolution)
    with torch.no_grad():
        features = torch.cat([maps(part[:, None].repeat(1, G.num_ws, 1)).flatten(1) for part in w.split(batch)])
        u, s, _ = torch.linalg.svd(_centered(features), full_matrices=False)
        coordinates = u[:, :count] * s[:count]  # [N, count], uncorrelated
        vectors = (_centered(w).T @ coordinates / coordinates.square().sum(0)).T  # least squares
    return _named(G, w, vectors, "features", layers)


def closed_form(G: FamilyGenerator, w: Tensor, *, count: int, layers: Sequence[int] | None = None) -> list[Direction]:
    """Return the directions that change the styles of the layers most, largest first. SeFa, Shen & Zhou 2021.

    They are the eigenvectors of A^T A, where A holds the matrices of the affine layers one below the other.

    Args:
        w: random w, [N, w_dim], which give the scale.
        layers: rows of ws whose affine layers count, and that the directions move; None for all.
    Raises: ConfigError for a network without affine layers, or more directions than w has.
    """
    _check_count(count, w.shape[1])
    a = torch.cat([affine_matrix(G, name) for name in affine_layers(G, layers)]).to(torch.float64)
    _, vectors = torch.linalg.eigh(a.T @ a)  # in ascending order
    return _named(G, w, vectors.T.flip(0)[:count], "sefa", layers)


def _named(
    G: FamilyGenerator, w: Tensor, vectors: Tensor, method: str, layers: Sequence[int] | None
) -> list[Direction]:
    """Return numbered directions. The largest entry of each is positive, since either sign is a solution."""
    space = space_of(G)
    signs = vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()
    return [
        measured(vector, w, name=f"{method}{i}", layers=layers, space=space, method=method)
        for i, vector in enumerate(vectors * signs)
    ]


def _centered(x: Tensor) -> Tensor:
    x = x.to(torch.float64)
    return x - x.mean(0)


def _check_count(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ConfigError(f"`count` is from 1 to {most} here, got {count}.")
