"""Compiled functions that run uncompiled when the compiler fails."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

import torch

from stylegan.errors import StyleGANError
from stylegan.machine.memory import is_out_of_memory

P = ParamSpec("P")
T = TypeVar("T")


def compile_or_eager(
    function: Callable[P, T], compiler_options: dict[str, Any] | None = None, *, dynamic: bool = False
) -> Callable[P, T]:
    """Compile `function` for the shapes that it meets; where the compiler fails, run it uncompiled from then on.

    A failed call is repeated uncompiled, with the random numbers that it would have drawn. If that works, the compiler
    was at fault: one warning says so, and compiling stays off. If it fails too, the call itself was at fault: its error
    is raised, and compiling stays on. Running out of memory is never the compiler's fault.

    Args:
        function: must not change anything before the compiler can fail, apart from random numbers.
        compiler_options: the `options` of `torch.compile`.
        dynamic: compile once for all sizes, instead of for each shape.
    """
    return _CompiledOrEager(function, compiler_options, dynamic)


class _CompiledOrEager(Generic[P, T]):
    """The callable of `compile_or_eager`. A copy, or one read from a pickle, is compiled by itself."""

    def __init__(self, function: Callable[P, T], compiler_options: dict[str, Any] | None, dynamic: bool):
        self.function, self.compiler_options, self.dynamic = function, compiler_options, dynamic
        self.compiled = torch.compile(function, dynamic=dynamic, options=compiler_options)
        self.failed = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.function, self.compiler_options, self.dynamic)

    def __call__(self, *args: P.args, **options: P.kwargs) -> T:
        if self.failed:
            return self.function(*args, **options)
        random_state = _random_state()
        try:
            return self.compiled(*args, **options)
        except (MemoryError, torch.OutOfMemoryError, StyleGANError):
            raise
        except (
            Exception
        ) as error:  # anything that a compiler can run into: no C++ compiler, no Triton, a bug of its own
            if is_out_of_memory(error):
                raise
            _restore(random_state)
            result = self.function(*args, **options)
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            warnings.warn(f"torch.compile failed ({reason}); continuing without it.", RuntimeWarning, stacklevel=2)
            self.failed = True
            return result


def _random_state() -> list[torch.Tensor]:
    """Return the state of the random generators of the CPU and, if in use, of the current GPU."""
    states = [torch.get_rng_state()]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states.append(torch.cuda.get_rng_state())
    return states


def _restore(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1])
