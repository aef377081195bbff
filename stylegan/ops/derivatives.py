"""Autograd functions whose derivatives of every order and kind exist: backward, forward and batched by `torch.func`.

Such a function has `forward`, `setup_context`, `backward` and a rule for `vmap`, and besides them `tangent`, which
returns the derivative along given directions. A compiler refuses functions that define `jvp`, so `jvp` is added by
`differentiable` to a second class, which is used everywhere else.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

F = TypeVar("F", bound=type[torch.autograd.Function])


def differentiable(function: F) -> F:
    """Give an autograd function a twin, `uncompiled`, with its `tangent` as `jvp`."""
    function.uncompiled = type(function.__name__, (function,), {"jvp": staticmethod(function.tangent)})  # type: ignore[attr-defined]
    return function


def apply(function: Any, *inputs: Any) -> Any:
    """Apply a `differentiable` function."""
    return (function if torch.compiler.is_compiling() else function.uncompiled).apply(*inputs)


def keep(ctx: Any, *tensors: Tensor) -> None:
    """Save tensors for `backward` and `tangent`."""
    ctx.save_for_backward(*tensors)
    if not torch.compiler.is_compiling():
        ctx.save_for_forward(*tensors)


def total(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Return the sum of both tensors, or the one that exists."""
    if first is None or second is None:
        return second if first is None else first
    return first + second


def leading(x: Tensor, dim: int | None) -> Tensor:
    """Move the dimension over which `vmap` runs to the front; without one, add one of size 1."""
    return x.unsqueeze(0) if dim is None else x.movedim(dim, 0)
