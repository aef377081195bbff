"""Non-finite gradients: replaced in every step, counted per tensor, reported once per tick.

All counts stay on the device until `collect`, so no step waits for the host.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

LASTING_UPDATES = 4  # fewer bad updates of a phase in a tick may be chance
NAMES_SHOWN = 5  # tensors with the most non-finite values


@dataclass
class _Seen:
    """Counts of one phase over the gradients of its K tensors since the last tick."""

    names: list[str]
    values: Tensor  # [K] number of non-finite values
    first_step: Tensor  # [K] step of the first
    bad_updates: Tensor  # scalar, number of updates with any
    updates: int = 0


@dataclass(frozen=True)
class HealthReport:
    """The non-finite values of a tick, by tensor: G.LAYER.weight, D.LAYER.bias, G_opt.LAYER.weight.exp_avg, ..."""

    gradients: dict[str, int] = field(default_factory=dict)  # tensor -> number of values replaced, in falling order
    first_steps: dict[str, int] = field(default_factory=dict)  # tensor -> step of the first
    lasting: tuple[str, ...] = ()  # phases with any in more than half of their updates
    state: tuple[str, ...] = ()  # non-finite tensors of the state, which no snapshot may hold

    def summary(self) -> dict[str, int]:
        """Return `gradients` for a line of statistics: the largest by name, the sum of the others as one number."""
        names = list(self.gradients)
        rest = sum(self.gradients[name] for name in names[NAMES_SHOWN:])
        return {name: self.gradients[name] for name in names[:NAMES_SHOWN]} | ({"others": rest} if rest else {})

    def __str__(self) -> str:
        parts = [f"{len(self.state)} tensors of the training state, first {self.state[0]}"] if self.state else []
        if self.gradients:
            step, name = min((step, name) for name, step in self.first_steps.items())
            hit = ", ".join(f"{name} ({n})" for name, n in self.summary().items())
            parts.append(f"{sum(self.gradients.values())} values of gradients, first of {name} in step {step}: {hit}")
        return " and ".join(parts)


class GradientWatch:
    """Replaces and counts the non-finite values of gradients, per tensor and phase."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], _Seen] = {}

    def clean(self, phase: str, named: list[tuple[str, Tensor]], step: int) -> Tensor:
        """Replace NaN by 0 and ±inf by ±1e5, as the official trainers do; return the number of values, a scalar.

        Args:
            named: the gradients by name; changed in place.
        """
        names, grads = zip(*named, strict=True)
        # g - g is 0 where g is finite and NaN elsewhere: one light pass instead of the four of isfinite
        values = torch.stack([torch.count_nonzero(g - g) for g in grads])
        for g in grads:
            torch.nan_to_num_(g, nan=0, posinf=1e5, neginf=-1e5)
        key = (phase, *names)
        seen = self._seen.get(key)
        if seen is None:
            never, none = torch.full_like(values, torch.iinfo(values.dtype).max), torch.zeros_like(values)
            seen = self._seen[key] = _Seen(list(names), none, never, none.sum())
        hit = values > 0
        seen.values += values
        seen.first_step.masked_fill_(hit & (seen.first_step > step), step)
        seen.bad_updates += hit.any()
        seen.updates += 1
        return values.sum()

    def collect(self) -> HealthReport:
        """Return the counts since the last call, and reset them."""
        gradients: dict[str, int] = {}
        first_steps: dict[str, int] = {}
        lasting = []
        for (phase, *_), seen in self._seen.items():
            bad = int(seen.bad_updates)
            if bad == 0:
                continue
            if bad >= LASTING_UPDATES and bad > seen.updates / 2:
                lasting.append(phase)
            for name, n, step in zip(seen.names, seen.values.tolist(), seen.first_step.tolist(), strict=True):
                if n:
                    gradients[name] = gradients.get(name, 0) + n
                    first_steps[name] = min(first_steps.get(name, step), step)
        self._seen.clear()
        gradients = dict(sorted(gradients.items(), key=lambda item: -item[1]))
        return HealthReport(gradients, first_steps, tuple(lasting))
