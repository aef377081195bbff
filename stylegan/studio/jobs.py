"""Long jobs: their state, their progress, and the files that they leave for a while."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from stylegan.errors import StyleGANError
from stylegan.files.cache import bytes_of
from stylegan.studio.limits import Limits

State = Literal["queued", "running", "done", "failed", "canceled"]
ENDS = ("done", "failed", "canceled")


class Canceled(Exception):
    """Raised inside a job that was canceled."""


@dataclass(eq=False)
class Job:
    """One long job, which other threads may look at while it runs.

    Attributes:
        kind: "interpolate", "song", "project", "drag", "find", "convert" or "prepare".
        total: number of steps.
        step: number of steps that are done.
        image: the newest image [C, H, W] uint8; None if there is none.
        files: what it left, by a name such as "loop.webp".
        facts: what it found, such as the PSNR.
        error: why it failed, one sentence.
    """

    kind: str
    total: int
    folder: Path
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "queued"
    step: int = 0
    image: Tensor | None = None
    files: dict[str, Path] = field(default_factory=dict)
    facts: dict[str, float | str | list] = field(default_factory=dict)
    error: str | None = None
    ended: float | None = None  # by `time.monotonic`
    between: Callable[[], None] = lambda: None  # lets others use the device
    _stop: threading.Event = field(default_factory=threading.Event)

    def report(self, step: int, image: Tensor | None = None) -> None:
        """Record progress, then let waiting calls draw. Raises: Canceled."""
        self.step, self.image = step, self.image if image is None else image
        self.pause()

    def pause(self) -> None:
        """Let waiting calls draw. Raises: Canceled if the job should stop."""
        self.between()
        if self._stop.is_set():
            raise Canceled

    def cancel(self) -> None:
        """Ask the job to stop: before it begins, or at its next step."""
        self._stop.set()
        if self.state == "queued":
            self.end("canceled")

    def file(self, name: str) -> Path:
        """Return where the job should write a file of this name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name

    def end(self, state: State, error: str | None = None) -> None:
        if self.state not in ENDS:
            self.state, self.error, self.ended = state, error, time.monotonic()

    def run(self, work: Callable[[], None]) -> None:
        """Run the work, and end as it ends."""
        try:
            self.pause()
            self.state = "running"
            work()
            self.end("done")
        except Canceled:
            self.end("canceled")
        except StyleGANError as error:
            self.end("failed", str(error))
        except BaseException as error:  # nothing must end the thread that serves all others
            self.end("failed", f"the job failed with {type(error).__name__}: {error}")

    @property
    def bytes(self) -> int:
        return bytes_of(list(self.files.values()))


class Shelf:
    """The jobs of a session, and a temporary folder for their files that is bounded in size and in time."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.folder = Path(tempfile.mkdtemp(prefix="stylegan-studio-"))
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def new(self, kind: str, total: int) -> Job:
        """Return a new job, after removing old ones."""
        self.clean()
        job = Job(kind, total, self.folder)
        job.folder = self.folder / job.id
        with self._lock:
            self._jobs[job.id] = job
        return job

    def get(self, id: str) -> Job | None:
        self.clean()
        with self._lock:
            return self._jobs.get(id)

    def all(self) -> list[Job]:
        """Return the jobs, the oldest first."""
        self.clean()
        with self._lock:
            return list(self._jobs.values())

    def discard(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def clean(self) -> None:
        """Remove finished jobs that are too old, too many or too large together; the oldest first."""
        with self._lock:
            finished = [(job, job.bytes) for job in self._jobs.values() if job.ended is not None]
            size, now, gone = sum(size for _, size in finished), time.monotonic(), []
            for k, (job, own) in enumerate(finished):
                old = now - (job.ended or now) > self.limits.kept_s
                if old or len(finished) - k > self.limits.kept_jobs or size > self.limits.kept_bytes:
                    size -= own
                    gone.append(self._jobs.pop(job.id))
        for job in gone:
            shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        for job in self.all():
            job.cancel()
        shutil.rmtree(self.folder, ignore_errors=True)
