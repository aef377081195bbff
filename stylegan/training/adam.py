"""The state of Adam as named tensors, for snapshots."""

from __future__ import annotations

import torch
from torch import Tensor


def moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of Adam, one entry per parameter and moment: "{index}.{moment}"."""
    return {
        f"{index}.{key}": value
        for index, moments in optimizer.state_dict()["state"].items()
        for key, value in moments.items()
    }


def restore_moments(optimizer: torch.optim.Optimizer, moments: dict[str, Tensor]) -> None:
    """Set the state of Adam to that of `moments`. Raises: ValueError or KeyError for those of other weights."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        index, key = name.split(".")
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if value.shape not in ((), parameter.shape):
                raise ValueError(f"a moment has shape {list(value.shape)}, its weight {list(parameter.shape)}")
            if value.ndim:  # in the layout of the parameter, which a file does not keep
                values[key] = torch.empty_like(parameter).copy_(value)
