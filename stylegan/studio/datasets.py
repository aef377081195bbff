"""The data sets that the studio offers: by name, since a client never gives a path."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylegan.data.prepare import PrepareConfig, prepare_steps
from stylegan.data.samples import avatars
from stylegan.data.survey import survey
from stylegan.errors import BusyError, ConfigError, OutputError
from stylegan.files.cache import bytes_of, existing_folder, free_bytes
from stylegan.studio.jobs import Job, Shelf
from stylegan.studio.limits import Limits

SAMPLES = "sample faces"  # the embedded ones
ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tfrecords")
NAME = re.compile(r"[\w][\w .+-]{0,79}")
SHOWN = 5  # files that were left out, with the reasons


class DataSets:
    """Data sets in two folders: one that the user of this machine gave, and one for those made in the studio.

    Args:
        root: folders and archives directly in it are offered; None for none.
        made: where prepared data sets are kept.
        shelf: where the jobs that prepare are found.
    """

    def __init__(self, root: Path | None, made: Path, shelf: Shelf, limits: Limits):
        self.root, self.made, self.shelf, self.limits = root, made, shelf, limits
        self._preparing = threading.Lock()

    def names(self) -> dict[str, str]:
        """Return name -> "sample", "folder" for those of the root, or "made"."""
        found = {SAMPLES: "sample"}
        for folder, kind in ((self.root, "folder"), (self.made, "made")):
            if folder is not None and folder.is_dir():
                found |= {path.name: kind for path in sorted(folder.iterdir()) if _offered(path)}
        return found

    def path(self, name: str, resolution: int | None = None) -> Path:
        """Return where a data set is; `resolution` chooses that of the sample faces. Raises: ConfigError."""
        kind = self.names().get(name)
        if kind is None:
            raise ConfigError(f"there is no data set {name[:80]!r}; choose one that the studio lists.")
        if kind == "sample":
            return avatars(resolution or 64)
        folder = self.root if kind == "folder" else self.made
        assert folder is not None
        return folder / name

    def survey(self, name: str) -> dict[str, Any]:
        """Return what is known about a data set before training, see `survey`. Raises: ConfigError, DataError."""
        found = survey(self.path(name))
        return {
            "name": name,
            "kind": self.names()[name],
            "images": found.images,
            "looked_at": found.looked_at,
            "sizes": [[width, height, n] for (width, height), n in list(found.sizes.items())[:SHOWN]],
            "channels": found.channels,
            "labels": found.labels,
            "label_names": list(found.label_names[:100]),
            "problems": list(found.problems),
            "ready": found.ready,
        }

    def new_upload(self, name: str) -> Job:
        """Return a job whose file "upload.zip" is to be written, and then given to `prepare`.

        Raises: ConfigError for a name that is taken or not allowed; OutputError without room for it.
        """
        self._free_name(name)
        self._require_room(self.limits.data_bytes)
        return self.shelf.new("prepare", 1)

    def prepare(self, name: str, resolution: int, *, source: str | None = None, job: Job | None = None) -> Job:
        """Start to make the data set `name` of equal square images; its job says what was left out.

        Args:
            source: a data set that the studio offers; or
            job: one of `new_upload`, whose file has been written.
        Raises: ConfigError, OutputError; BusyError while another is being made.
        """
        dest = self.made / f"{self._free_name(name)}.zip"
        path = self.path(source) if source is not None else None
        self._require_room(0)
        if not self._preparing.acquire(blocking=False):
            raise BusyError("another data set is being made; try again when it is finished.")
        job = job or self.shelf.new("prepare", 1)
        threading.Thread(target=self._work, args=(job, path, dest, resolution), daemon=True).start()
        return job

    def _work(self, job: Job, source: Path | None, dest: Path, resolution: int) -> None:
        upload = job.file("upload.zip")
        try:
            job.run(lambda: self._prepared(job, source or upload, dest, resolution))
        finally:
            upload.unlink(missing_ok=True)
            self._preparing.release()

    def _prepared(self, job: Job, source: Path, dest: Path, resolution: int) -> None:
        self.made.mkdir(parents=True, exist_ok=True)
        config = PrepareConfig(source=source, dest=dest, resolution=resolution, transform="center-crop", workers=2)
        for step in prepare_steps(config):
            job.total = max(step.total, 1)
            job.report(step.done)
            if (report := step.report) is not None:
                reasons = [f"{name}: {reason}." for name, reason in report.left_out]
                job.facts |= {
                    "name": dest.name,
                    "images": report.used,
                    "left_out": len(reasons),
                    "enlarged": report.enlarged,
                    "reasons": "\n".join([*reasons[:SHOWN], *report.notes]),
                }

    def _free_name(self, name: str) -> str:
        name = name.strip().removesuffix(".zip").rstrip(" .")
        if not NAME.fullmatch(name):
            raise ConfigError("a data set needs a name of 1 to 80 letters, digits, spaces and . _ + -; choose another.")
        if f"{name}.zip" in self.names() or name in self.names():
            raise ConfigError(f"there is a data set {name!r} already; choose another name.")
        return name

    def _require_room(self, bytes: int) -> None:
        used = bytes_of(self.made.glob("*.zip"))
        if used + bytes > self.limits.all_data_bytes:
            raise OutputError(
                f"the data sets made here take {used >> 20:,} MiB of {self.limits.all_data_bytes >> 20:,}; remove some "
                f"from {self.made.name}."
            )
        for folder in (self.shelf.folder, existing_folder(self.made)):
            if free_bytes(folder) < 2 * bytes:
                raise OutputError("the disk has too little room for another data set; make room first.")


def _offered(path: Path) -> bool:
    return not path.name.startswith(".") and (path.is_dir() or path.name.lower().endswith(ENDINGS))


def writer(path: Path) -> Callable[[bytes], None]:
    """Return a function that appends to a file. It raises OutputError where the disk is full."""

    def write(content: bytes) -> None:
        try:
            with path.open("ab") as file:
                file.write(content)
        except OSError as error:
            raise OutputError(f"the upload cannot be kept: {error.strerror or error}; make room first.") from error

    return write
