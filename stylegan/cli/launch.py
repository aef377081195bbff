"""A verb under a launcher such as torchrun: several processes that share its work."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def launched(command: Callable) -> Callable:
    """Pass `world`, joined while the verb runs, to a verb whose processes work together."""

    @functools.wraps(command)
    def together(*args: Any, **options: Any) -> Any:
        from stylegan.machine.processes import join

        with join() as world:
            return command(*args, world=world, **options)

    return together
