"""The course of the learning rate in a search for latents (Karras et al. 2020a, App. D)."""

from __future__ import annotations

import math


def ramp(t: float, up: float, down: float) -> float:
    """Return the factor of the learning rate at the part t of the steps, from 0 to 1.

    It rises linearly in the first part `up` of the steps and falls along half a cosine in the last part `down`.
    """
    fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / down))
    return fall * min(1.0, t / up)
