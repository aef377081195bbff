"""One thread per device: draws in small batches, long jobs one at a time, and draws between the steps of a job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from torch import Tensor

from stylegan.errors import BusyError
from stylegan.studio.jobs import Job
from stylegan.studio.limits import Limits

T = TypeVar("T")
RETRY_S = 2
DrawTogether = Callable[[Any, list[Any]], Sequence[Tensor]]  # (key, parts) -> the images of each, [N, C, H, W] uint8


@dataclass
class _Call:
    """A call that waits: a part to draw, together with those of the same key, or a function that runs alone."""

    work: Callable[[], Any] | None = None
    part: Any = None
    images: int = 0
    key: Hashable = None
    future: Future = field(default_factory=Future)


class Worker:
    """Owns the device: everything that computes runs in its thread.

    A job calls `Job.report` between its steps, and one waiting group of calls is served there, so that images stay
    quick while a job of minutes runs.
    """

    def __init__(self, draw_together: DrawTogether, limits: Limits):
        self._draw_together, self._limits = draw_together, limits
        self._calls: deque[_Call] = deque()
        self._jobs: deque[tuple[Job, Callable[[], None]]] = deque()
        self._current: Job | None = None
        self._closed = False
        self._ready = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="stylegan-device", daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T]) -> T:
        """Run a function on the device and return its result. Raises: BusyError, and what it raises."""
        return cast(T, self._submit(_Call(work)).result())

    def draw(self, key: Hashable, part: Any, images: int) -> Tensor:
        """Return the images of a part, drawn together with the parts of other calls of the same key.

        Raises: BusyError, and what drawing this part raises; it does not concern the others.
        """
        return cast(Tensor, self._submit(_Call(part=part, images=images, key=key)).result())

    def start(self, job: Job, work: Callable[[], None]) -> None:
        """Queue a job. Raises: BusyError if the queue is full."""
        job.between = self._serve_one
        with self._ready:
            self._require_open()
            if sum(waiting.state == "queued" for waiting, _ in self._jobs) >= self._limits.jobs:
                raise BusyError(f"{self._limits.jobs} jobs are waiting already; try again when one has finished.")
            self._jobs.append((job, work))
            self._ready.notify()

    def close(self, timeout_s: float = 5) -> None:
        """Serve the calls that wait, cancel the jobs, and end the thread, for which it waits up to `timeout_s`."""
        with self._ready:
            self._closed = True
            for job in [*(job for job, _ in self._jobs), *([self._current] if self._current else [])]:
                job.cancel()
            self._ready.notify()
        self._thread.join(timeout_s)

    @property
    def load(self) -> dict[str, int]:
        """Return the numbers of waiting calls and of waiting and running jobs."""
        with self._ready:
            queued = sum(job.state == "queued" for job, _ in self._jobs)
            return {"calls": len(self._calls), "queued_jobs": queued, "running_jobs": int(self._current is not None)}

    def _submit(self, call: _Call) -> Future:
        with self._ready:
            self._require_open()
            if len(self._calls) >= self._limits.waiting:
                raise BusyError(f"{self._limits.waiting} calls are waiting already; try again in a moment.")
            self._calls.append(call)
            self._ready.notify()
        return call.future

    def _require_open(self) -> None:
        if self._closed:
            raise BusyError("the studio is shutting down; start it again.")

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._calls or self._jobs or self._closed)
                if self._closed and not self._calls:
                    return
                # A job first: it serves calls at once, and calls that never end would keep it from beginning.
                self._current, work = self._jobs.popleft() if self._jobs else (None, None)
            if self._current is None or work is None:
                self._serve_one()
                continue
            self._current.run(work)
            self._current = None

    def _serve_one(self) -> None:
        """Serve the oldest call, together with others that have the same key."""
        group = self._next_group()
        if not group:
            return
        work = group[0].work
        if work is not None:
            _settle(group, lambda: [work()])
        elif not _settle(group, lambda: self._draw(group), may_fail=len(group) == 1):
            for call in group:  # an error of one must not concern the others
                _settle([call], lambda call=call: self._draw([call]))  # type: ignore[misc]

    def _draw(self, group: list[_Call]) -> Sequence[Tensor]:
        return self._draw_together(group[0].key, [call.part for call in group])

    def _next_group(self) -> list[_Call]:
        with self._ready:
            if not self._calls:
                return []
            group = [first := self._calls.popleft()]
            if first.work is None:
                images = first.images
                for call in self._calls:
                    if call.work is None and call.key == first.key and images + call.images <= self._limits.together:
                        images += call.images
                        group.append(call)
                self._calls = deque(call for call in self._calls if all(call is not other for other in group))
            return group


def _settle(calls: Sequence[_Call], work: Callable[[], Sequence[Any]], may_fail: bool = True) -> bool:
    """Give each call its result, or if that `may_fail` the error of all; returns whether they have one."""
    try:
        results = work()
    except BaseException as error:
        if not may_fail:
            return False
        for call in calls:
            call.future.set_exception(error)
        return True
    for call, result in zip(calls, results, strict=True):
        call.future.set_result(result)
    return True
