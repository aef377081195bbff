"""Settings of torch that a surrounding program may have made, and that must not change what the library computes.

Autocast, another default dtype or device, inference mode and disabled gradients act on every operation, also on those
that promise float32 or need gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, TypeVar

import torch

T = TypeVar("T")
AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")


def under_autocast() -> bool:
    """Return whether autocast is on for any device."""
    return any(torch.is_autocast_enabled(device) for device in AUTOCAST_DEVICES)


@contextmanager
def without_autocast() -> Iterator[None]:
    """Turn autocast off on every device."""
    with ExitStack() as stack:
        for device in AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


@contextmanager
def float32_by_default() -> Iterator[None]:
    """Make new tensors float32 and ordinary: they can be trained and changed in place."""
    surrounding = torch.get_default_dtype()
    with torch.inference_mode(False):
        if surrounding == torch.float32:
            yield
            return
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(surrounding)


@contextmanager
def ordinary_torch(*, gradients: bool) -> Iterator[None]:
    """Compute as in a program that has set nothing, with `gradients` or without. Also a decorator for functions."""
    with without_autocast(), float32_by_default(), torch.set_grad_enabled(gradients), ExitStack() as stack:
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread in the block; also a decorator. A second one does not pay for what is small."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)


def in_ordinary_torch(steps: Iterator[T], *, gradients: bool) -> Iterator[T]:
    """Yield the same items, each computed under `ordinary_torch`; the program between them keeps its own settings."""
    generator: Any = steps
    with closing(generator):
        while True:
            with ordinary_torch(gradients=gradients):
                try:
                    item = next(steps)
                except StopIteration:
                    return
            yield item
