"""Apply a function to many images in several threads, and return the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Apply a function to items, as `map` does, in this number of threads, each at most one item ahead of the caller.

    Pillow and zlib release Python's lock while they work, so decoding and encoding run in parallel.
    Raises: what `function` raises, when it is the turn of that item.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="images")
    ahead: deque[Future[R]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
