"""Verbs under a launcher such as torchrun. This is the only place of the command line that makes a `World`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylegan.machine.processes import World


def launched(command: Callable) -> Callable:
    """Pass `world`, connected while the verb runs, to a verb whose processes exchange messages."""

    @functools.wraps(command)
    def together(*args: Any, **options: Any) -> Any:
        from stylegan.machine.processes import join

        with join() as world:
            return command(*args, world=world, **options)

    return together


def shared(command: Callable) -> Callable:
    """Pass `world` to a verb whose processes divide the work without exchanging messages."""

    @functools.wraps(command)
    def apart(*args: Any, **options: Any) -> Any:
        from stylegan.machine.processes import from_environment

        return command(*args, world=from_environment(), **options)

    return apart


def main_only(command: Callable) -> Callable:
    """Run a verb in the main process; the other processes return at once."""

    @shared
    @functools.wraps(command)
    def alone(*args: Any, world: World, **options: Any) -> Any:
        return command(*args, **options) if world.is_main else None

    return alone
