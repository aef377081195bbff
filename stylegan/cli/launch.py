"""Verbs under a launcher such as torchrun. This is the only place of the command line that makes a `World`."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

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


def _check_gpus(context: click.Context, parameter: click.Parameter, value: int | None) -> None:
    """Raise UsageError unless a launcher has started this number of processes."""
    if value is None:
        return
    from stylegan.machine.processes import from_environment

    if value != from_environment().size:
        command = shlex.join(sys.argv[1:])
        raise click.UsageError(
            f"--gpus {value} needs {value} processes, which a launcher starts: torchrun --standalone --nproc-per-node "
            f"{value} -m stylegan {command}; on a single device leave --gpus out, and the batch stays the same."
        )


gpus_option = click.option(
    "--gpus",
    type=click.IntRange(min=1),
    hidden=True,
    expose_value=False,
    callback=_check_gpus,
    help="Number of processes that torchrun must have started.",
)


def speaks() -> bool:
    """Return whether this process prints for all that a launcher started."""
    return os.environ.get("RANK", "0") == "0"
