"""A direction: a move in a latent space that changes one thing in every image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.files.counted import counted
from stylegan.sampling.latent import Latent


@dataclass(frozen=True, kw_only=True, eq=False)
class Direction:
    """A unit vector in W, W+ or style space, with a scale: strength 1 is one standard deviation over random w.

    Attributes:
        name: what it changes, or its number.
        vector: [w_dim] for the same move in every layer, or [num_ws, w_dim]. In style space (Wu et al. 2021), one part
            for each affine layer that it moves, by its name in the synthesis network, [channels].
        deviation: standard deviation of `coordinate` over random w.
        center: `coordinate` of the mean w; 0 in style space.
        layers: rows of ws that it moves; None for all. Ignored in style space, where the parts name their layers.
        space: identity of the latent space, see `stylegan.sampling.latent.space_of`.
        method: how it was found, such as "sefa".
        note: what else is known about it, such as the accuracy on held-out images.
    """

    name: str
    vector: Tensor | Mapping[str, Tensor]
    deviation: float
    center: float = 0.0
    layers: tuple[int, ...] | None = None
    space: str
    method: str
    note: str = ""

    @property
    def styles(self) -> Mapping[str, Tensor] | None:
        """The parts of a direction in style space; None for one in W or W+."""
        return None if isinstance(self.vector, Tensor) else self.vector

    def coordinate(self, ws: Tensor) -> Tensor:
        """Return how far ws [..., num_ws, w_dim] are along the direction, [...]: the mean over its layers.

        Raises: ConfigError in style space.
        """
        if not isinstance(self.vector, Tensor):
            raise ConfigError(
                f"the direction {self.name} is in style space, and latents have a place along those in w."
            )
        along = (ws * self.vector.to(ws)).sum(-1)  # [..., num_ws]
        return (along if self.layers is None else along[..., list(self.layers)]).mean(-1)

    def position(self, latent: Latent) -> float:
        """Return where a latent is along the direction, in standard deviations from the mean w."""
        return (float(self.coordinate(latent.ws)) - self.center) / self.deviation

    def moved(self, latent: Latent, strength: float, layers: Sequence[int] | None = None) -> Latent:
        """Return a latent moved along the direction.

        Args:
            strength: in standard deviations; negative values give the opposite.
            layers: rows of ws to move; None for those of the direction.
        Raises: ConfigError for a latent of another space, or layers for a direction in style space.
        """
        if latent.space is not None and latent.space != self.space:
            raise ConfigError(
                f"the direction {self.name} belongs to the latent space {self.space}, and the latent to "
                f"{latent.space}; find directions for this network."
            )
        step = strength * self.deviation
        if isinstance(self.vector, Tensor):
            if self.vector.shape != latent.ws.shape[-self.vector.ndim :]:
                raise ConfigError(
                    f"the direction {self.name} is {list(self.vector.shape)}, which does not fit ws "
                    f"{list(latent.ws.shape)}; find directions for this network."
                )
            return latent.moved(step * self.vector.to(latent.ws), self.layers if layers is None else layers)
        if layers is not None:
            raise ConfigError(f"the direction {self.name} is in style space and names its layers; leave out `layers`.")
        return latent.shifted({name: step * part for name, part in self.vector.items()})


def measured(
    vector: Tensor, w: Tensor, *, name: str, layers: Sequence[int] | None, space: str, method: str, note: str = ""
) -> Direction:
    """Return the direction of a vector in W of any length, with its center and deviation over random w [N, w_dim]."""
    unit = torch.nn.functional.normalize(vector.to(torch.float64), dim=0)
    along = w.to(torch.float64) @ unit
    return Direction(
        name=name,
        vector=unit.to(torch.float32).cpu(),
        deviation=float(along.std()),
        center=float(along.mean()),
        layers=None if layers is None else tuple(layers),
        space=space,
        method=method,
        note=note,
    )


def orthogonal(direction: Direction, others: Iterable[Direction], w: Tensor) -> Direction:
    """Return a direction in W without its part along others, so that it leaves alone what they change.

    w: random w of the network, [N, w_dim], which give the new scale.
    Raises: ConfigError for directions in W+ or style space, or if nothing remains.
    """
    basis = [_in_w(other) for other in others]
    vector = _in_w(direction)
    if basis:
        q, _ = torch.linalg.qr(torch.stack(basis, 1))  # [w_dim, others], orthonormal
        vector = vector - q @ (q.T @ vector)
    if vector.norm() < 1e-6:
        raise ConfigError(f"the direction {direction.name} is a mixture of the others, so nothing of it remains.")
    found = measured(
        vector, w, name=direction.name, layers=direction.layers, space=direction.space, method=direction.method
    )
    remark = f"orthogonal to {counted(len(basis), 'other')}"
    return replace(found, note=", ".join(filter(None, [direction.note, remark])))


def _in_w(direction: Direction) -> Tensor:
    if not isinstance(direction.vector, Tensor) or direction.vector.ndim != 1:
        raise ConfigError(
            f"only directions in W can be made orthogonal, and {direction.name} is in another space; set `out` to a "
            "file that holds none of those."
        )
    return direction.vector.to(torch.float64)
