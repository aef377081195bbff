"""Latents: seeds to the z that the mapping network takes."""

from __future__ import annotations

import operator
import re
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.errors import ConfigError

MAX_SEED = 2**32 - 1  # what numpy's RandomState takes
MAX_COUNT = 1_000_000  # so that a range with one digit too many does not exhaust the memory


def parse_seeds(text: str) -> list[int]:
    """Parse seeds and ranges separated by commas, both ends included: "0-3,7" -> [0, 1, 2, 3, 7].

    Raises: ConfigError for any other text, for a seed above `MAX_SEED` and for more than `MAX_COUNT` seeds.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(
            r"\s*([0-9]{1,999})\s*(?:-\s*([0-9]{1,999})\s*)?", part
        )  # Python parses up to 4,300 digits
        if not match:
            raise ConfigError(f"seeds are whole numbers and ranges such as 0-3,7, got {part.strip()!r} in {text!r}.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ConfigError(f"a range of seeds ascends, got {part.strip()!r}; write {last}-{first}.")
        _check_seed(last)
        if len(seeds) + last - first >= MAX_COUNT:
            raise ConfigError(f"at most {MAX_COUNT:,} seeds can be drawn at once, got {text!r}; draw them in parts.")
        seeds.extend(range(first, last + 1))
    return seeds


def seed_list(seeds: Any) -> list[int]:
    """Return seeds given as whole numbers or as a text for `parse_seeds`. Raises: ConfigError for anything else."""
    if isinstance(seeds, str):
        return parse_seeds(seeds)
    try:
        return [_check_seed(operator.index(seed)) for seed in seeds]
    except TypeError as error:
        raise ConfigError(
            "seeds are several whole numbers, such as range(8) or '0-7', or [5] for a single one, "
            f"got {reprlib.repr(seeds)}."
        ) from error


def latents(seeds: Sequence[int] | str, z_dim: int) -> Tensor:
    """Return the unit Gaussian z of each seed, the same numbers that the official tools draw.

    Args:
        seeds: N whole numbers from 0 to 2**32 - 1, or a text such as "0-3,7".
        z_dim: width of z.
    Returns: [N, z_dim] float32.
    Raises: ConfigError for a seed out of range, or anything else than seeds.
    """
    seeds = seed_list(seeds)
    z = np.empty([len(seeds), z_dim], np.float32)
    random = np.random.RandomState(0)  # one for all: a new one takes 20 times as long to make as to seed
    for row, seed in zip(z, seeds, strict=True):
        random.seed(seed)
        row[:] = random.randn(z_dim)
    return torch.from_numpy(z)


def _check_seed(seed: int) -> int:
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"a seed is a whole number from 0 to {MAX_SEED}, got {seed}.")
    return seed
