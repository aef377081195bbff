"""Exponential moving average of the generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def ema_beta(batch: int, nimg: int, ema_kimg: float, rampup: float | None) -> float:
    """Return the decay per step that halves the share of a weight every `ema_kimg` thousand images.

    With `rampup`, the half-life is at most that share of the `nimg` images seen before this step, so that the
    average leaves the random start early. StyleGAN2-ADA App. C.
    """
    half_life = ema_kimg * 1000
    if rampup is not None:
        half_life = min(half_life, nimg * rampup)
    return 0.5 ** (batch / max(half_life, 1e-8))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, beta: float) -> None:
    """Move the parameters of `average` to beta * average + (1 - beta) * network; copy the buffers.

    A tensor of `network` that holds NaN or infinity is left out, so a finite average stays finite.
    """
    for weight, latest in zip(average.parameters(), network.parameters(), strict=True):
        weight.lerp_(_finite_or(latest, weight), 1 - beta)
    for buffer, newest in zip(average.buffers(), network.buffers(), strict=True):
        buffer.copy_(_finite_or(newest, buffer))


def _finite_or(x: Tensor, y: Tensor) -> Tensor:
    """Return `x` if its sum, and so all of it, is finite, else `y`. The host does not wait for the answer."""
    return x.where(x.sum().isfinite(), y)
