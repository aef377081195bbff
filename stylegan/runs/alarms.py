"""Signs that a run is failing, read from its statistics: collapse, a discriminator that has won, overfitting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Record = dict[str, Any]  # a line of stats.jsonl

COLLAPSED = 0.25  # of the diversity of real images; healthy runs stay above half of it from their first snapshot
CERTAIN = 0.98  # mean sign of the scores of real or of generated images: D is wrong about 1 in 100
LOST = 8.0  # loss of G: D gives generated images a probability of e^-8 of being real
SUSTAINED_TICKS = 5
MEMORIZED = 0.8  # held-out gap: new images are nearly as suspicious to D as generated ones


def alarms(records: Sequence[Record]) -> list[str]:
    """Judge the last of the records of a run by those before it; returns a sentence for each sign of failure."""
    found = (_collapse(records), _discriminator_wins(records), _overfitting(records))
    return [sentence for sentence in found if sentence]


def _collapse(records: Sequence[Record]) -> str:
    diversity = _measured(records, "Health/diversity")[-2:]
    if len(diversity) < 2 or max(diversity) > COLLAPSED or "Health/diversity" not in records[-1]:
        return ""
    return (
        f"collapse: generated images vary {diversity[-1]:.2f} times as much as real ones; "
        "start a new run from an older snapshot, with a larger `r1_gamma`, or a smaller `g_lr` and `d_lr`."
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
        f"collapse: for {SUSTAINED_TICKS} ticks the discriminator has recognized nearly all images while the loss of "
        f"the generator rose to {loss[-1]:.1f}; start a new run from an older snapshot, with a larger `r1_gamma`, "
        "`augment.mode` ada, or more images."
    )


def _overfitting(records: Sequence[Record]) -> str:
    gap = _measured(records, "Health/held_out_gap")
    if len(gap) < 2 or min(gap[-2:]) < MEMORIZED or "Health/held_out_gap" not in records[-1]:
        return ""
    return (
        f"overfitting: the discriminator scores held-out images like generated ones (gap {gap[-1]:.2f} of 1); "
        "stop the run, or start a new one from an older snapshot with `augment.mode` ada or more images."
    )


def _measured(records: Sequence[Record], name: str) -> list[float]:
    """The finite means of a statistic, oldest first."""
    values = [record[name]["mean"] for record in records if name in record]
    return [value for value in values if math.isfinite(value)]
