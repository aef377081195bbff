"""Muon: gradient descent whose steps change all directions of a matrix of weights alike. Jordan et al. 2024.

The gradient of a matrix is large in a few directions, and Adam's steps stay in these. Muon replaces the averaged
gradient by the nearest matrix with orthonormal rows or columns, so that the other directions learn as fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

ROUNDS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of x, x^3 and x^5, which bring singular values to 0.7 to 1.2 in five rounds


class Muon(torch.optim.Optimizer):
    """Muon for weights of fully connected layers and convolutions; a kernel [O, I, K, K] is a matrix [O, I * K * K].

    Args:
        params: of two axes or more.
        lr: root mean square of a step, as it is about that of Adam's steps.
        momentum: of the averaged gradient, with Nesterov's look ahead.
    """

    def __init__(self, params: Iterable[Tensor], *, lr: float, momentum: float = 0.9):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, parameter.grad.flatten(1), group)

    def _step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        momentum = group["momentum"]
        state = self.state[parameter]
        average = state["average"] = momentum * state.get("average", 0) + gradient
        change = orthogonalized(gradient + momentum * average)
        parameter.sub_(group["lr"] * max(change.shape) ** 0.5 * change.view_as(parameter))


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return a matrix with the singular vectors of the given one, [rows, columns], and singular values near 1.

    A Newton-Schulz iteration, on the smaller of the two products of the matrix with itself, since all factors are
    polynomials of this product.
    """
    if len(matrix) > matrix.shape[1]:
        return orthogonalized(matrix.t()).t()
    matrix = matrix / matrix.norm().clamp(min=1e-12)
    a, b, c = COEFFICIENTS
    gram = matrix @ matrix.t()
    total = unit = torch.eye(len(gram)).to(gram)
    for _ in range(ROUNDS):
        factor = a * unit + (b * unit + c * gram) @ gram
        total = factor @ total
        gram = factor @ gram @ factor
    return total @ matrix
