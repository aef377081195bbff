"""Statistics of a tick, kept on the device; the host waits only when they are read."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.machine.processes import World


class Statistics:
    """Count, mean and standard deviation of named numbers."""

    def __init__(self) -> None:
        self._moments: dict[str, Tensor] = {}

    def add(self, name: str, values: Tensor | float) -> None:
        """Add the values of a tensor of any shape."""
        v = torch.as_tensor(values, dtype=torch.float32).detach().flatten()
        moments = torch.stack([v.new_full([], v.numel()), v.sum(), v.square().sum()])
        self._moments[name] = self._moments[name] + moments if name in self._moments else moments

    def collect(self, world: World | None = None) -> dict[str, dict[str, float]]:
        """Return {name: {"num", "mean", "std"}} of the values that all of `world` added since the last call."""
        if world is not None:
            world.sum_(list(self._moments.values()))
        result = {}
        for name, moments in self._moments.items():
            num, total, squares = moments.tolist()
            mean = total / num
            result[name] = {"num": int(num), "mean": mean, "std": max(squares / num - mean**2, 0.0) ** 0.5}
        self._moments.clear()
        return result
