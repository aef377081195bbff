"""Signs that a run goes wrong, read from its statistics: collapse, a discriminator that has won, overfitting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from stylegan.data.dataset import Dataset, to_float
from stylegan.training.phases import discriminate
from stylegan.training.snapshot_grid import SnapshotGrid
from stylegan.training.state import TrainingState

Record = dict[str, Any]  # a line of stats.jsonl

PICTURES = 64  # of each kind that are looked at
COLLAPSED = 0.25  # of the diversity of real pictures; healthy runs stay above a half of it, from the first snapshot on
CERTAIN = 0.98  # mean sign of the scores of one kind of pictures: D is wrong about 1 in 100
LOST = 8.0  # loss of G: D takes generated pictures for real with a probability of e^-8
SUSTAINED_TICKS = 5
TOLD_APART = 0.5  # between the mean scores of training pictures and generated ones; below, their difference is noise
MEMORISED = 0.8  # held-out gap: new pictures are nearly as suspicious to D as generated ones


def alarms(records: Sequence[Record]) -> list[str]:
    """What the last of the records of a run gives reason to worry about, a sentence each."""
    found = (_collapse(records), _discriminator_wins(records), _overfitting(records))
    return [sentence for sentence in found if sentence]


def _collapse(records: Sequence[Record]) -> str:
    diversity = _measured(records, "Health/diversity")[-2:]
    if len(diversity) < 2 or max(diversity) > COLLAPSED or "Health/diversity" not in records[-1]:
        return ""
    return (
        f"collapse: generated pictures vary {diversity[-1]:.2f} times as much as real ones; "
        "go back to an older snapshot, raise --gamma or lower --lr."
    )


def _discriminator_wins(records: Sequence[Record]) -> str:
    last = records[-SUSTAINED_TICKS:]
    real, fake = (_measured(last, f"Loss/signs/{kind}") for kind in ("real", "fake"))
    loss = _measured(last, "Loss/G/loss")
    if min(map(len, (real, fake, loss))) < SUSTAINED_TICKS:
        return ""
    if min(real) < CERTAIN or max(fake) > -CERTAIN or loss[-1] < max(LOST, loss[0]):
        return ""
    return (
        f"collapse: for {SUSTAINED_TICKS} ticks the discriminator has told all pictures apart while the loss of the "
        f"generator rose to {loss[-1]:.1f}; raise --gamma, or use --aug ada or more pictures."
    )


def _overfitting(records: Sequence[Record]) -> str:
    gap = _measured(records, "Health/held_out_gap")
    if len(gap) < 2 or min(gap[-2:]) < MEMORISED or "Health/held_out_gap" not in records[-1]:
        return ""
    return (
        f"overfitting: the discriminator scores held-out pictures like generated ones (gap {gap[-1]:.2f} of 1); "
        "use --aug ada or more pictures, or stop here."
    )


def _measured(records: Sequence[Record], name: str) -> list[float]:
    values = [record[name]["mean"] for record in records if name in record]
    return [value for value in values if math.isfinite(value)]


@torch.no_grad()
def snapshot_health(state: TrainingState, dataset: Dataset, grid: SnapshotGrid) -> dict[str, dict[str, float]]:
    """Statistics that are worth drawing pictures for, and so are measured with each snapshot only.

    Health/diversity: standard deviation over pictures, mean over pixels, of generated pictures relative to real ones.
    Health/held_out_gap: with held-out pictures, the r_v of StyleGAN2-ADA Eq. 1,
        (E[D(train)] - E[D(held out)]) / (E[D(train)] - E[D(generated)]): 0 without overfitting, 1 at worst.
        Left out while D cannot tell training pictures from generated ones.
    Health/scores/held_out: E[D(held out)].
    """
    batch = len(grid.z[0])
    whole = [part for part in zip(grid.z, grid.c, strict=True) if len(part[0]) == batch][: max(PICTURES // batch, 1)]
    labels = [c.to(state.device) for _, c in whole]
    fakes = [state.G_ema(z.to(state.device), c, noise_mode="const") for (z, _), c in zip(whole, labels, strict=True)]
    real = to_float(grid.real[: batch * len(whole)])
    result = {"Health/diversity": _spread(torch.cat(fakes).cpu()) / max(_spread(real), 1e-8)}
    if dataset.held_out is not None:
        generated = torch.cat([discriminate(state, state.D, img, c) for img, c in zip(fakes, labels, strict=True)])
        train, held_out = (_mean_score(state, *some.sample, batch) for some in (dataset, dataset.held_out))
        result["Health/scores/held_out"] = held_out
        told_apart = train - float(generated.mean())
        if told_apart > TOLD_APART:
            result["Health/held_out_gap"] = (train - held_out) / told_apart
    return {name: {"num": 1, "mean": value, "std": 0.0} for name, value in result.items()}


def _spread(pictures: Tensor) -> float:
    return float(pictures.clamp(-1, 1).std(0, unbiased=False).mean())


def _mean_score(state: TrainingState, pictures: Tensor, labels: Tensor, batch: int) -> float:
    """D's mean score, in batches of the size that it is trained with."""
    whole = max(len(pictures) // batch, 1) * batch
    scores = [
        discriminate(state, state.D, to_float(img).to(state.device), c.to(state.device))
        for img, c in zip(pictures[:whole].split(batch), labels[:whole].split(batch), strict=True)
    ]
    return float(torch.cat(scores).mean())
