"""The mapping network f: Z -> W."""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.errors import ConfigError, ShapeError
from stylegan.networks.label_rows import label_rows
from stylegan.networks.layers import EqualizedLinear, tensor_shapes
from stylegan.networks.network import Network, as_numbers, shape_of
from stylegan.ops import pixel_norm


class FamilyMapping(Network):
    """Base class of all mapping networks: z, c -> ws.

    Subclasses implement `w` and register `w_avg`, the running average of w with the decay `w_avg_beta`. If `num_ws` is
    None, a single w is returned and there is no average.
    """

    z_dim: int
    c_dim: int
    num_ws: int | None
    w_avg: Tensor
    w_avg_beta: float
    extra_repr = tensor_shapes

    def w(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """z [N, z_dim] and c [N, c_dim], None where their width is 0, both float32 -> w [N, w_dim]"""
        raise NotImplementedError

    def average(self, w: Tensor, update: bool) -> Tensor:
        """Return the center of truncation; with `update`, first move it towards the batch w [N, w_dim].

        It is [w_dim], or [N, 1, w_dim] where every label has its own.
        """
        if update:
            new = w.detach().mean(0).lerp(self.w_avg, self.w_avg_beta)
            self.w_avg.copy_(new.where(new.isfinite(), self.w_avg))  # a running mean would keep a NaN for good
        return self.w_avg

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | int | None = None,
        truncation_psi: float | Tensor = 1.0,
        truncation_cutoff: int | None = None,
        update_emas: bool = False,
    ) -> Tensor:
        """
        Args:
            z: [N, z_dim] unit Gaussian, a tensor or an array; None where z_dim is 0.
            c: [N, c_dim] labels, or class numbers, see `label_rows`; None or [N, 0] where c_dim is 0.
            truncation_psi: 1 = full variety, 0 = the average image; one number, or [N] with one for each image.
            truncation_cutoff: number of first layers to truncate, 0 or more; None for all.
            update_emas: update `w_avg` with this batch, as training does.
        Returns: [N, num_ws, w_dim], or [N, w_dim] where num_ws is None; float32, or float64 in a network of that.
        Raises: ShapeError for a z, c or psi of another shape, ConfigError for a psi, cutoff or class that cannot be.
        """
        w = self.w(*self.checked(z, c))
        if self.num_ws is None:
            return w
        psi, cutoff = _checked_psi(truncation_psi, w), _checked_cutoff(truncation_cutoff)
        w_avg = self.average(w, update_emas)
        return truncate(w.unsqueeze(1).repeat(1, self.num_ws, 1), w_avg, psi, cutoff)

    def checked(self, z: Any, c: Any) -> tuple[Tensor | None, Tensor | None]:
        """Return z and c in the network's format, None where their width is 0. Raises: ShapeError, ConfigError."""
        z = None if z is None else as_numbers(z)
        if self.z_dim > 0 and (z is None or z.ndim != 2 or z.shape[1] != self.z_dim):
            raise ShapeError(f"mapping takes z [N, {self.z_dim}], got {shape_of(z)}.")
        c = label_rows(c, self.c_dim, z.shape[0] if self.z_dim > 0 and z is not None else None)
        return (
            self.own(z) if z is not None and self.z_dim > 0 else None,
            self.own(c) if c is not None else None,
        )


class MappingNetwork(FamilyMapping):
    """z, optionally with a label c, to one w per synthesis layer. StyleGAN Fig. 1(b), StyleGAN2-ADA App. D.

    Args:
        z_dim, c_dim: widths of the latent and the label; 0 for none.
        w_dim: width of w.
        num_ws: number of layers to repeat w for; None for a single w.
        num_layers: number of fully connected layers; with 0, w is the normalized input, which must have its width.
        embed_features: width of the embedded label; default w_dim.
        layer_features: width of the hidden layers; default w_dim.
        lr_multiplier: learning rate of these layers relative to the rest of the generator.
        w_avg_beta: decay of the running average of w that truncation moves towards.
        gain_in_weight: see `EqualizedLinear`.
    """

    embed: nn.Module

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        *,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
        gain_in_weight: bool = False,
    ):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.num_ws, self.num_layers, self.w_avg_beta = num_ws, num_layers, w_avg_beta
        embed = 0 if c_dim == 0 else w_dim if embed_features is None else embed_features
        hidden = w_dim if layer_features is None else layer_features
        if num_layers == 0 and z_dim + embed != w_dim:
            raise ConfigError(
                f"a mapping network without layers needs an input as wide as w, got {z_dim + embed} and {w_dim}."
            )
        widths = [z_dim + embed, *[hidden] * (num_layers - 1), w_dim]
        if c_dim > 0:
            self.embed = EqualizedLinear(c_dim, embed)
        for i in range(num_layers):
            layer = EqualizedLinear(
                widths[i],
                widths[i + 1],
                activation=activation,
                lr_multiplier=lr_multiplier,
                gain_in_weight=gain_in_weight,
            )
            setattr(self, f"fc{i}", layer)
        if num_ws is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def w(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        x = self.join(z, c)
        for i in range(self.num_layers):
            x = getattr(self, f"fc{i}")(x)
        return x

    def join(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """Return the input of the first layer, [N, z_dim + embed]: latent and embedded label, each normalized."""
        parts = [part for part in (z, self.embed(c) if c is not None else None) if part is not None]
        return torch.cat([pixel_norm(part) for part in parts], 1)


def truncate(ws: Tensor, w_avg: Tensor, psi: float | Tensor, cutoff: int | None = None) -> Tensor:
    """Return w_avg + psi * (w - w_avg) in the first `cutoff` layers. StyleGAN App. B.

    ws [N, L, D], w_avg [D] or [N, 1, D], psi a number or [N, 1, 1] -> [N, L, D]
    """
    if not isinstance(psi, Tensor) and psi == 1:
        return ws
    n = ws.shape[1] if cutoff is None else cutoff
    return torch.cat([w_avg.to(ws.dtype).lerp(ws[:, :n], psi), ws[:, n:]], 1)


def _checked_psi(psi: Any, w: Tensor) -> float | Tensor:
    """Return a psi for `truncate`: a number as it is, and one number for each image as [N, 1, 1]."""
    if isinstance(psi, int | float):
        if not math.isfinite(psi):
            raise ConfigError(f"truncation_psi must be a finite number, such as 0.7, got {psi}.")
        return psi
    psi = as_numbers(psi).to(w)
    if psi.ndim > 1 or (psi.ndim == 1 and psi.shape[0] not in (1, w.shape[0])):
        raise ShapeError(
            f"truncation_psi takes one number, or [N] with one for each of {w.shape[0]} images, got {shape_of(psi)}."
        )
    return psi.reshape(-1, 1, 1)


def _checked_cutoff(cutoff: Any) -> int | None:
    try:
        number = None if cutoff is None else operator.index(cutoff)
    except TypeError:
        number = -1
    if number is not None and number < 0:
        raise ConfigError(
            f"truncation_cutoff must be the number of first layers to truncate, 0 or more, or None for all layers, "
            f"got {cutoff!r}."
        )
    return number
