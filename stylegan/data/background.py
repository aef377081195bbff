"""Work in a thread that does not keep the program alive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

R = TypeVar("R")


def in_background(function: Callable[[], R], name: str) -> Future[R]:
    """Call a function in a thread of its own; the future holds what it returns or raises.

    A daemon thread, where a pool would make the end of the program wait for a network that does not answer.
    """
    future: Future[R] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, name=name, daemon=True).start()
    return future
