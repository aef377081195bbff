"""Signals that stop a run with a snapshot."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stylegan.machine.processes import World

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]


@contextmanager
def stopped_by_signal(stop: Callable[[], None], world: World | None = None) -> Iterator[list[int]]:
    """Let Ctrl-C, SIGTERM (a shutdown) and SIGUSR1 (a cluster's queue) stop the run; yields the signals received.

    A second one stops at once, unless there is a launcher: it repeats signals, and ends by itself what does not stop.
    """
    received: list[int] = []

    def on_signal(number: int, frame: object) -> None:
        if received and (world is None or world.size == 1):
            raise KeyboardInterrupt
        if (world is None or world.is_main) and not received:
            click.echo("\nStopping after this step ...", err=True)
        received.append(number)
        stop()

    before = {number: signal.signal(number, on_signal) for number in STOPPING}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
