"""Networks that were added to a session: uploaded through the safe readers, or blended; and files of all networks."""

from __future__ import annotations

import secrets
import shutil
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stylegan.checkpoints import Checkpoint, load_checkpoint, save
from stylegan.checkpoints.convert import convert
from stylegan.checkpoints.open import drawing_generator, read
from stylegan.errors import ConfigError
from stylegan.files.cache import bytes_of
from stylegan.studio.jobs import Job
from stylegan.studio.uploads import named_as_upload, safe_name

if TYPE_CHECKING:
    from stylegan.studio.session import Session

Kind = Literal["native", "rosinality", "official"]
SUFFIXES = {"native": ".zip", "rosinality": ".pt", "official": ".safetensors"}


class Added:
    """Adds networks to a session until there are too many, and removes them."""

    def __init__(self, session: Session):
        self._session = session
        self._files: dict[str, Path] = {}  # name -> file or folder
        self.uploading = threading.Lock()  # one at a time, or they could fill the disk together
        self._used: set[str] = set()  # also names that were removed: caches may still hold their images

    def __contains__(self, name: str) -> bool:
        return name in self._files

    @property
    def sources(self) -> dict[str, Path]:
        """The added networks: name -> file or folder."""
        return dict(self._files)

    def shown(self, name: str, source: Path | str) -> str:
        """Return what a command should call a network: the name of its file if it was added."""
        return Path(source).name if name in self._files else str(source)

    def new_file(self, name: str) -> Path:
        """Return where an upload should be written. Raises: ConfigError if there are enough already."""
        limits = self._session.limits
        size = sum(_size(path) for path in self._files.values())
        if len(self._files) >= limits.added or size > limits.added_bytes:
            raise ConfigError(
                f"the studio holds {len(self._files)} added networks of {size / 1e6:,.0f} MB; remove one first."
            )
        folder = self._session._shelf.folder / "networks" / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder / safe_name(name, "network")

    def discard(self, file: Path) -> None:
        """Remove what `new_file` made."""
        shutil.rmtree(file.parent, ignore_errors=True)

    def add_file(self, file: Path) -> str:
        """Offer an uploaded checkpoint and return its name. Nothing in it is run.

        file: from `new_file`, which is removed if it is no checkpoint.
        Raises: DataError for a file that is not the checkpoint of a generator.
        """
        try:
            with self._session._decoding, named_as_upload(file):
                drawing_generator(read(file, to_draw=True), file)
        except BaseException:
            self.discard(file)
            raise
        return self._offer(file, file.stem)

    def add_checkpoint(self, checkpoint: Checkpoint, name: str) -> str:
        """Offer a network and return its name. Raises: ConfigError as `new_file`."""
        folder = self.new_file(name)
        save(checkpoint, folder)
        return self._offer(folder, name)

    def remove(self, name: str) -> bool:
        """Remove an added network. Returns whether there was one."""
        session = self._session
        with session._opening:
            file = self._files.pop(name, None)
            if file is None:
                return False
            session.sources.pop(name, None)
            session._opened.pop(name, None)
        self.discard(file)
        return True

    def convert(self, network: str, kind: Kind) -> Job:
        """Start to write a network as a file for download, a zip for the native folder.

        Raises: ConfigError for an unknown network, BusyError. The job fails for a network that the kind cannot hold.
        """
        session = self._session
        session._open(network)
        source = session.sources[network]
        job = session._shelf.new("convert", 1)
        name = f"{safe_name(network, 'network').removesuffix(SUFFIXES[kind])}{SUFFIXES[kind]}"

        def work() -> None:
            checkpoint = load_checkpoint(source)
            job.pause()
            file = job.file(name)
            if kind == "native":
                folder = file.with_suffix("")
                save(checkpoint, folder)
                with zipfile.ZipFile(file, "w") as archive:  # weights do not compress
                    for path in sorted(folder.iterdir()):
                        archive.write(path, f"{folder.name}/{path.name}")
                shutil.rmtree(folder)
            else:
                report = convert(checkpoint, file, kind)
                job.facts["left_out"] = [f"{part}: {reason}" for part, reason in report.left_out.items()]
            job.files[name] = file
            job.report(1)

        return session._start(job, work)

    def _offer(self, file: Path, name: str) -> str:
        session = self._session
        with session._opening:
            number, free = 2, name
            while free in session.sources or free in self._used:
                free, number = f"{name}-{number}", number + 1
            self._used.add(free)
            session.sources[free] = self._files[free] = file
        return free


def _size(path: Path) -> int:
    return bytes_of(list(path.iterdir()) if path.is_dir() else [path])
