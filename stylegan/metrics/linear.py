"""Linear classifiers of attributes: logistic regression on standardized inputs, many attributes at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = 200  # of either optimizer


@dataclass(frozen=True)
class Linear:
    """Standardize inputs, then map them to one logit for each attribute."""

    mean: Tensor  # [F]
    std: Tensor  # [F]
    weight: Tensor  # [F, A]
    bias: Tensor  # [A]

    def __call__(self, x: Tensor) -> Tensor:
        """[N, F] -> logits [N, A] float64"""
        return _standardized(x, self.mean, self.std) @ self.weight + self.bias


def fit_ridge(x: Tensor, y: Tensor, strength: float = 1.0) -> Linear:
    """Fit logistic regressions with a penalty on squared weights, by L-BFGS in float64.

    Args:
        x: [N, F].
        y: [N, A], 0 or 1.
        strength: of the penalty, strength / 2N |weight|², which is 1/C of common libraries.
    """
    mean, std, x, y = _prepared(x, y)
    weight = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(y.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=STEPS, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = _loss(x @ weight + bias, y) + strength / (2 * len(x)) * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return Linear(mean, std, weight.detach(), bias.detach())


def fit_lasso(x: Tensor, y: Tensor, strength: float = 0.01) -> Linear:
    """Fit logistic regressions with a penalty on absolute weights, by FISTA in float64 (Beck and Teboulle 2009).

    Arguments as in `fit_ridge`; the penalty is strength |weight|₁ beside the mean loss.
    """
    mean, std, x, y = _prepared(x, y)
    n = len(x)
    # The curvature of the mean logistic loss is at most a quarter of the largest eigenvalue of xᵀx / n.
    v = torch.ones(x.shape[1], dtype=torch.float64)
    for _ in range(30):
        v = F.normalize(x.T @ (x @ v), dim=0)
    step = 1 / (0.25 * float((x @ v).square().sum()) / n * 1.05 + 0.25)
    weight = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64)
    bias = torch.zeros(y.shape[1], dtype=torch.float64)
    ahead, ahead_bias, t = weight, bias, 1.0
    for _ in range(STEPS):
        error = ((x @ ahead + ahead_bias).sigmoid() - y) / n
        moved = ahead - step * (x.T @ error)
        new = moved.sign() * (moved.abs() - step * strength).clamp(min=0)
        new_bias = ahead_bias - step * error.sum(0)
        t_next = (1 + (1 + 4 * t * t) ** 0.5) / 2
        momentum = (t - 1) / t_next
        ahead, ahead_bias = new + momentum * (new - weight), new_bias + momentum * (new_bias - bias)
        weight, bias, t = new, new_bias, t_next
    return Linear(mean, std, weight, bias)


def _loss(logits: Tensor, y: Tensor) -> Tensor:
    """Mean over samples, sum over attributes, whose regressions are independent."""
    return F.binary_cross_entropy_with_logits(logits, y, reduction="sum") / len(y)


def _prepared(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x, y = x.double(), y.double()
    mean, std = x.mean(0), x.std(0, correction=0)
    return mean, std, _standardized(x, mean, std), y


def _standardized(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (x.double() - mean) / std.clamp(min=1e-12)
