"""The averaged generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def ema_beta(batch: int, nimg: int, ema_kimg: float, rampup: float | None) -> float:
    """The decay for one step that halves a weight's share every `ema_kimg` thousand images.

    With `rampup`, the half-life is at most that share of the `nimg` images seen before this step, so that the
    average leaves the random start soon. StyleGAN2-ADA App. C.
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
    for mine, theirs in zip(average.parameters(), network.parameters(), strict=True):
        mine.lerp_(_or_if_nonfinite(theirs, mine), 1 - beta)
    for buffer, newest in zip(average.buffers(), network.buffers(), strict=True):
        buffer.copy_(_or_if_nonfinite(newest, buffer))


def _or_if_nonfinite(x: Tensor, y: Tensor) -> Tensor:
    """x if all of it is finite, as its sum tells in one pass, else y; the host need not know which."""
    return x.where(x.sum().isfinite(), y)
