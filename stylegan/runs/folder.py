"""The folder of a run: names of its files, and writing that an interruption leaves whole."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from stylegan.checkpoints.snapshots import is_snapshot_name, nimg_of, snapshot_name
from stylegan.errors import OutputError
from stylegan.files.atomic import write_text
from stylegan.files.paths import local_path, refuse_name_of_file
from stylegan.runs.info import RunInfo


def make_run_folder(parent: Path | str, info: RunInfo, name: str, config: str, desc: str = "") -> Path:
    """Make `parent/00003-stylegan2-NAME-batch32-gamma0.8`, numbered after the runs already in `parent`.

    Args:
        name: of the data set.
        config: the content of config.json.
        desc: words that the name ends in.
    Raises: OutputError if `parent` cannot be written, or the name is too long; ConfigError if it ends like a file.
    """
    label, desc = (re.sub(r"[^\w.+-]+", "_", text) for text in (name, desc))
    title = f"{info.architecture}-{label}-batch{info.batch}-gamma{info.gamma:g}{desc and f'-{desc}'}"
    too_long = (
        f"{len(label)} are the name of the data set, {len(desc)} the description; rename the data set, or shorten "
        "`desc`."
    )
    return make_numbered_folder(parent, title, config, too_long=too_long)


def make_numbered_folder(parent: Path | str, title: str, config: str, too_long: str = "choose shorter names.") -> Path:
    """Make `parent/00003-TITLE` for a run with this content of config.json, numbered after the runs in `parent`.

    Args:
        too_long: the end of the sentence about a name that is too long for the disk.
    Raises: OutputError if `parent` cannot be written, or the name is too long; ConfigError if it ends like a file.
    """
    parent = local_path(parent)
    refuse_name_of_file(parent, "runs are written to a folder")
    existed = parent.exists()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        taken = [int(m[1]) for m in (re.match(r"(\d{5})-", p.name) for p in parent.iterdir()) if m]
        folder = parent / f"{max(taken, default=-1) + 1:05d}-{title}"
        (folder / "snapshots").mkdir(parents=True)
    except OSError as error:
        if not existed:
            with suppress(OSError):
                parent.rmdir()
        if error.errno == errno.ENAMETOOLONG:
            raise OutputError(
                f"the folder of the run would have a name of {len(folder.name)} characters, too long for this disk: "
                f"{too_long}"
            ) from error
        raise OutputError(f"cannot write a run into {parent}: {error.strerror}; choose another `outdir`.") from error
    write_text(folder / "config.json", config)
    return folder


def snapshot_folder(run: Path, nimg: int) -> Path:
    """Choose the folder of the snapshot after `nimg` images: `run/snapshots/000200`.

    `run/snapshots/000200.064` if an earlier snapshot of the run, which is to stay, has the shorter name.
    """
    folder = run / "snapshots" / snapshot_name(nimg)
    there = nimg_of(folder)
    return folder if there is None or there >= nimg else folder.with_name(snapshot_name(nimg, exact=True))


def grid_file(snapshot: Path) -> Path:
    """The image grid of a snapshot, `run/fakes000200.png`."""
    return snapshot.parent.parent / f"fakes{snapshot.name}.png"


def grids_by_kimg(run: Path) -> dict[float, Path]:
    """Find the image grids of a run: kimg -> file. The grid from before training has -1, so that it comes first."""
    names = {path: re.fullmatch(r"fakes(?:([0-9.]+)|_init)", path.stem) for path in run.glob("fakes*.png")}
    known = {path: match[1] for path, match in names.items() if match and is_snapshot_name(match[1] or "0")}
    return {-1.0 if kimg is None else float(kimg): path for path, kimg in known.items()}


def repair_interrupted_writes(run: Path) -> None:
    """Bring back a snapshot that was being replaced when the process was killed; remove what was half written."""
    for older in run.glob("snapshots/.*.old"):
        name = older.with_name(older.name[1:].rsplit(".", 2)[0])  # of .000200.PID.old, see `atomic_folder`
        if name.exists():
            shutil.rmtree(older, ignore_errors=True)
        else:
            older.rename(name)
    for partial in run.glob("snapshots/.*.tmp"):
        shutil.rmtree(partial, ignore_errors=True)
    for place in ("", "snapshots/*/"):
        for partial in run.glob(f"{place}.*.tmp*"):
            partial.unlink(missing_ok=True)


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Add one JSON record to a .jsonl file, whole or not at all. Raises: OutputError."""
    line = (json.dumps(record) + "\n").encode()
    try:
        with path.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(end)  # half a line would spoil the next
                raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; make room, or make the folder writable.") from error


def drop_lines_after(path: Path, nimg: int) -> None:
    """Remove the records of the ticks that a resumed run is going to repeat."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()  # a power cut leaves any bytes
    kept = [line for line in lines if _nimg(line) <= nimg]
    write_text(path, "".join(line + "\n" for line in kept))


def _nimg(line: str) -> float:
    try:
        return json.loads(line)["nimg"]
    except (ValueError, KeyError, TypeError):  # a line that a crash cut short
        return float("inf")
