"""Random numbers of a step as a function of numbers that identify it, so that a resumed run repeats them."""

from __future__ import annotations

import numpy as np
import torch


def seed_torch(*key: int) -> None:
    """Seed torch's global generator by whole numbers, such as the seed of the run and the step."""
    low, high = np.random.SeedSequence(list(key)).generate_state(2)
    torch.manual_seed(int(low) << 31 ^ int(high))
