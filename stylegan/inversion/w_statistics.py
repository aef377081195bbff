"""The distribution of w in a network, and coordinates in which it is simple."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.generate import map_latents
from stylegan.sampling.labels import Label, class_labels
from stylegan.sampling.latents import latents

STATISTICS_SEED = 123  # of the z whose w give the mean and the spread, as in the official tools


@dataclass(frozen=True)
class WStatistics:
    """The distribution of w, and the coordinates in which w is searched: w = center + x @ basis.

    Attributes:
        center: mean of w, [w_dim].
        spread: root of the mean squared distance of w from its mean, a scalar.
        basis: [w_dim, w_dim], or None for coordinates along the axes of w.
    """

    center: Tensor
    spread: Tensor
    basis: Tensor | None

    @classmethod
    def of(cls, w: Tensor, *, whiten: bool) -> WStatistics:
        """Measure the distribution of random w [N, w_dim]; `whiten` gives the coordinates unit covariance."""
        center = w.mean(0)
        basis = None
        if whiten:
            values, vectors = torch.linalg.eigh(torch.cov(w.t().cpu().double()))
            # Directions in which w hardly varies keep a little room, or nothing could move along them.
            scale = values.clamp(min=1e-6 * float(values.max())).sqrt()
            basis = (scale[:, None] * vectors.t()).to(w)
        return cls(center, (w - center).square().sum(1).mean().sqrt(), basis)

    @property
    def unit(self) -> Tensor | float:
        """The length in coordinates that corresponds to the spread of w, for a random step in each of them."""
        return self.spread if self.basis is None else 1.0

    def w(self, x: Tensor) -> Tensor:
        """Coordinates [..., w_dim] to w."""
        return self.center + x if self.basis is None else self.center + x @ self.basis

    def coordinates(self, w: Tensor) -> Tensor:
        """w [..., w_dim] to coordinates."""
        return w - self.center if self.basis is None else (w - self.center) @ torch.linalg.inv(self.basis)

    def scatter(self, w: Tensor) -> Tensor:
        """Return the mean squared distance of the w of each image, [N, L, w_dim], from their mean, in spreads, [N]."""
        return (w - w.mean(1, keepdim=True)).square().sum(2).mean(1) / self.spread.square()

    def typicality(self, w: Tensor) -> Tensor:
        """Return the mean distance of the w of each image, [N, L, w_dim], from the center, in spreads, [N]."""
        return (w - self.center).square().sum(2).sqrt().mean(1) / self.spread


def random_ws(G: FamilyGenerator, label: Label | None, samples: int, seed: int = STATISTICS_SEED) -> Tensor:
    """Return the ws of random z of one label, [samples, num_ws, w_dim]; the same for the same seed."""
    return _ws(G, class_labels(G, label, samples), samples, seed)


def ws_of_all_labels(G: FamilyGenerator, samples: int, seed: int = STATISTICS_SEED) -> Tensor:
    """Return the ws of random z, of all labels in turn where the network has any, [samples, num_ws, w_dim]."""
    return _ws(G, torch.eye(G.c_dim)[torch.arange(samples) % G.c_dim] if G.c_dim else None, samples, seed)


def _ws(G: FamilyGenerator, c: Tensor | None, samples: int, seed: int) -> Tensor:
    z = latents([seed], samples * G.z_dim).view(samples, G.z_dim)
    return map_latents(G, z, c, psi=1, cutoff=None)
