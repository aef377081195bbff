"""Notices that a process of a common run has died or hangs, says which one, and lets nobody wait for it."""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed import Store

BEAT_S = 1.0
SILENT_BEATS = 15  # so long without a beat is a frozen process or a lost machine
SUSPECT_BEATS = 3  # the same after a connection broke
GRACE_S = 8  # for the main thread to end by itself; all together stays below 30 s
STORE_LOST = "the first machine of the run, or rank 0, does not answer any more"  # one of them has the store


class Heartbeat:
    """Counts up in the store every second and watches that the next process does too, and that the store answers.

    A closed connection already tells that a process died, but not which one; and a frozen process, or a machine
    without power, closes nothing.

    Args:
        store: a client of its own, since one that is shared blocks while the main thread waits.
        rank, size: which of how many processes this is. Each watches the next one, the last the first.
    Attributes:
        cause: who failed and how, once anybody knows it.
    """

    def __init__(self, store: Store, rank: int, size: int):
        self.cause: str | None = None
        self._store, self._rank, self._next = store, rank, (rank + 1) % size
        self._limit = SILENT_BEATS
        self._seen, self._missed, self._unanswered = "", 0, 0
        self._ended = threading.Event()
        self._beat(0)
        self._thread = threading.Thread(target=self._talk, name="heartbeat", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name="heartbeat of the store", daemon=True).start()

    def report(self, cause: str) -> None:
        """Tell all processes why the run cannot go on; the first report stands."""
        try:
            self.cause = self._store.compare_set("failed", "", cause).decode()
        except RuntimeError:
            self.cause = cause

    def find_cause(self, error: Exception) -> str:
        """Why talking to the others failed with `error`: waits a few seconds for somebody to know."""
        self._limit = SUSPECT_BEATS
        deadline = time.monotonic() + (SUSPECT_BEATS + 3) * BEAT_S
        while self.cause is None and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.cause or f"the connection to another process broke ({str(error).splitlines()[0]})"

    def close(self) -> None:
        """Stop beating."""
        self._ended.set()
        self._thread.join(BEAT_S)

    def _talk(self) -> None:
        beat = 0
        while self.cause is None and not self._ended.wait(BEAT_S):
            beat += 1
            try:
                self._beat(beat)
                self._look()
            except RuntimeError:
                self.cause = STORE_LOST
            self._unanswered = 0

    def _watch(self) -> None:
        """End what cannot end by itself. Never talks to the store, which may be on a machine without power."""
        while self.cause is None and not self._ended.wait(BEAT_S):
            self._unanswered += 1
            if self._unanswered >= SILENT_BEATS:
                self.cause = STORE_LOST
        if not self._ended.wait(GRACE_S):
            # The main thread waits inside the library for a message that will never come, and cannot be woken.
            os.write(2, f"Error: {self.cause}; go on from the newest snapshot.\n".encode())
            os._exit(1)

    def _beat(self, number: int) -> None:
        self._store.set(f"beat/{self._rank}", f"{number} {os.getpid()} {_launcher()} {platform.node()}")

    def _look(self) -> None:
        if self._store.check(["failed"]):
            self.cause = self._store.get("failed").decode()
            return
        seen = self._store.get(f"beat/{self._next}").decode()
        # Beats are counted and not seconds: whoever was paused together with the other one has missed nothing.
        self._missed = self._missed + 1 if seen == self._seen else 0
        self._seen = seen
        if self._missed >= self._limit:
            _, pid, launcher, machine = seen.split(" ", 3)
            how = "has not answered for" if self._limit == SILENT_BEATS else "died: no sign of it for"
            self.report(f"rank {self._next} (process {pid} on {machine}) {how} {self._limit * BEAT_S:.0f} s")
            if launcher == _launcher() != "none":
                with suppress(OSError):  # frozen, it would also keep the launcher waiting
                    os.kill(int(pid), signal.SIGKILL)


def _launcher() -> str:
    """What processes started by one launcher, and so on one machine, have in common; "none" without."""
    return f"{platform.node()}:{os.getppid()}" if "TORCHELASTIC_RUN_ID" in os.environ else "none"
