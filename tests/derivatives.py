"""Comparison and numerical checks of derivatives up to the second."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close


def to_second_derivatives(function: Callable[..., Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """Return the value, the first derivatives along one direction, and their derivatives along another."""
    inputs = [x.detach().clone(memory_format=torch.preserve_format).requires_grad_() for x in inputs]
    y = function(*inputs)
    generator = torch.Generator().manual_seed(1)
    along = _randn_like(y, generator).requires_grad_()
    first = torch.autograd.grad(y, inputs, along, create_graph=True)
    variables = [*inputs, along]
    total = torch.stack([(g * _randn_like(g, generator)).sum() for g in first]).sum()
    found = torch.autograd.grad(total, variables, allow_unused=True)
    second = [torch.zeros_like(v) if g is None else g for v, g in zip(variables, found, strict=True)]
    return [y, *first, *second]


def assert_twins(
    fast: Callable[..., Tensor], slow: Callable[..., Tensor], *inputs: Tensor, tolerance: float = 1e-5
) -> None:
    """Assert that `fast` and `slow` have the same value, gradient and second derivatives at float64 `inputs`."""
    actual, expected = to_second_derivatives(fast, list(inputs)), to_second_derivatives(slow, list(inputs))
    for a, e in zip(actual, expected, strict=True):
        assert_close(a, e, rtol=tolerance, atol=tolerance, check_stride=False)


def assert_differentiable_twice(function: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Assert that numerical differences confirm the first and second derivatives."""
    inputs = tuple(x.detach().requires_grad_() for x in inputs)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _randn_like(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, generator=generator)
