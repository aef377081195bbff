"""The heartbeat of a run of several processes: it detects a process that died or hangs and ends the others."""

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
SILENT_BEATS = 15  # beats missed by a frozen process or a lost machine
SUSPECT_BEATS = 3  # the limit once a connection broke
GRACE_S = 8  # for the main thread to end by itself; detecting and ending together take less than 30 s
STORE_LOST = "the first machine of the run, or rank 0, no longer answers"  # one of them serves the store
RESUME = "resume from the newest snapshot"


class Heartbeat:
    """Two threads that count beats in the store, watch the beats of the next process, and watch the store itself.

    A closed connection shows that a process died, but not which one, and a frozen process or a machine that lost power
    closes no connection.

    Args:
        store: a client for this object alone, since a shared one blocks while the main thread waits.
        rank, size: the number of this process and of all processes. Each watches the next one, the last the first.
    Attributes:
        cause: which process failed and how; None while none has.
    """

    def __init__(self, store: Store, rank: int, size: int):
        self.cause: str | None = None
        self._store, self._rank, self._next = store, rank, (rank + 1) % size
        self._limit = SILENT_BEATS
        self._seen, self._missed, self._unanswered = "", 0, 0
        self._ended = threading.Event()
        self._beat(0)
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, name="heartbeat of the store", daemon=True).start()

    def report(self, cause: str) -> None:
        """Publish to all processes why the run ends; only the first report counts."""
        try:
            self.cause = self._store.compare_set("failed", "", cause).decode()
        except RuntimeError:
            self.cause = cause

    def find_cause(self, error: Exception) -> str:
        """Return why a message failed with `error`; waits a few seconds until a process has found the cause."""
        self._limit = SUSPECT_BEATS
        deadline = time.monotonic() + (SUSPECT_BEATS + 3) * BEAT_S
        while self.cause is None and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.cause or f"the connection to another process broke ({str(error).splitlines()[0]})"

    def close(self) -> None:
        """Stop the heartbeat."""
        self._ended.set()
        self._thread.join(BEAT_S)

    def _run(self) -> None:
        beat = 0
        while self.cause is None and not self._ended.wait(BEAT_S):
            beat += 1
            try:
                self._beat(beat)
                self._check_next()
            except RuntimeError:
                self.cause = STORE_LOST
            self._unanswered = 0

    def _watch(self) -> None:
        """End a process that cannot end by itself. Never uses the store, whose machine may have lost power."""
        while self.cause is None and not self._ended.wait(BEAT_S):
            self._unanswered += 1
            if self._unanswered >= SILENT_BEATS:
                self.cause = STORE_LOST
        if not self._ended.wait(GRACE_S):
            # The main thread waits in PyTorch for a message that will never come, and cannot be interrupted.
            os.write(2, f"Error: {self.cause}; {RESUME}.\n".encode())
            os._exit(1)

    def _beat(self, number: int) -> None:
        self._store.set(f"beat/{self._rank}", f"{number} {os.getpid()} {_launcher()} {platform.node()}")

    def _check_next(self) -> None:
        if self._store.check(["failed"]):
            self.cause = self._store.get("failed").decode()
            return
        seen = self._store.get(f"beat/{self._next}").decode()
        # Beats are counted instead of seconds: two processes that were paused together have missed none.
        self._missed = self._missed + 1 if seen == self._seen else 0
        self._seen = seen
        if self._missed >= self._limit:
            _, pid, launcher, machine = seen.split(" ", 3)
            how = "has not answered for" if self._limit == SILENT_BEATS else "died: no sign of it for"
            self.report(f"rank {self._next} (process {pid} on {machine}) {how} {self._limit * BEAT_S:.0f} s")
            if launcher == _launcher() != "none":
                with suppress(OSError):  # the launcher would wait for a frozen process
                    os.kill(int(pid), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has only SIGTERM


def _launcher() -> str:
    """Return an identifier shared by the processes of one launcher on one machine; "none" without a launcher."""
    return f"{platform.node()}:{os.getppid()}" if "TORCHELASTIC_RUN_ID" in os.environ else "none"
