"""Compiled functions that draw and train on when the compiler fails."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch


def compile_or_eager(function: Callable, compiler_options: dict[str, Any] | None = None) -> Callable:
    """`function` compiled for the shapes that it meets; where that fails, as it is for good, with one warning.

    `compiler_options` are the `options` of `torch.compile`.
    """
    compiled = torch.compile(function, dynamic=False, options=compiler_options)
    chosen = compiled

    def call(*args: Any, **options: Any) -> Any:
        nonlocal chosen
        if chosen is function:
            return function(*args, **options)
        try:
            return compiled(*args, **options)
        except Exception as error:  # whatever a compiler can run into: no C++ compiler, no Triton, a bug of its own
            result = function(*args, **options)
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            warnings.warn(f"torch.compile failed ({reason}); going on without it.", RuntimeWarning, stacklevel=2)
            chosen = function
            return result

    return call
