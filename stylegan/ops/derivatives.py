"""Autograd functions whose derivatives of every order and kind exist: backward, forward and batched by `torch.func`.

Such a function has `forward`, `setup_context`, `backward` and a rule for `vmap`, and besides them `tangent`, which
returns the derivative along given directions. `differentiable` derives from it the forms that PyTorch needs.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

F = TypeVar("F", bound=type[torch.autograd.Function])


def differentiable(function: F) -> F:
    """Give an autograd function two forms with its `tangent` as `jvp`, which compilers refuse.

    `transformed` is for `torch.func`. `eager` is for all else, with `forward` and `setup_context` in one: PyTorch 2.13
    spends longer on the signature of a separate `forward` than on many a small operation.
    """

    def forward(ctx: Any, *inputs: Any) -> Any:
        output = compute(*inputs)
        save(ctx, inputs, output)
        return output

    forms: Any = function
    compute, save = forms.forward, forms.setup_context
    jvp = staticmethod(forms.tangent)
    eager = {"forward": staticmethod(forward), "backward": staticmethod(forms.backward), "jvp": jvp}
    forms.eager = type(function.__name__, (torch.autograd.Function,), eager)
    forms.transformed = type(function.__name__, (function,), {"jvp": jvp})
    return function


def apply(function: Any, *inputs: Any) -> Any:
    """Apply a `differentiable` function in the form that suits the moment."""
    if torch.compiler.is_compiling():
        return function.apply(*inputs)
    if not torch.is_grad_enabled() and not torch._C._are_functorch_transforms_active():
        return function.forward(*inputs)
    return (function.transformed if torch._C._are_functorch_transforms_active() else function.eager).apply(*inputs)


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
