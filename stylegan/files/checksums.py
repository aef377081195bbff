"""Record the size and SHA-256 of every file of a folder in one small file beside them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

CHECKSUMS = "checksums.json"  # {file name: {"bytes": size, "sha256": hexadecimal digits}}


def write_checksums(folder: Path) -> None:
    """List every file of a folder that is complete."""
    files = {file.name: _describe(file) for file in sorted(folder.iterdir())}
    (folder / CHECKSUMS).write_text(to_json(files), encoding="utf-8", newline="\n")


def to_json(files: dict[str, dict]) -> str:
    return json.dumps(files, indent=1) + "\n"


def read_checksums(folder: Path) -> dict[str, dict]:
    """Read what `write_checksums` wrote. Raises: OSError if it cannot be read, ValueError if it is something else."""
    files = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
    if not isinstance(files, dict) or not files or not all(isinstance(file, dict) for file in files.values()):
        raise ValueError("it lists no files")
    return files


def mismatch(folder: Path) -> str | None:
    """Describe the first file that differs from the list, as in "config.json is missing"; None if there is none.

    Files that are not in the list are ignored.
    """
    try:
        files = read_checksums(folder)
    except FileNotFoundError:
        return f"{CHECKSUMS} is missing"
    except (OSError, ValueError, RecursionError) as error:
        return f"{CHECKSUMS} cannot be read: {error}"
    return next((wrong for name, written in files.items() if (wrong := _compare(folder / name, written))), None)


def _compare(file: Path, written: dict) -> str | None:
    try:
        if not file.is_file():
            return f"{file.name} is missing"
        if (size := file.stat().st_size) != written.get("bytes"):
            return f"{file.name} has {size} bytes instead of {written.get('bytes')}"
        return None if _describe(file) == written else f"{file.name} has another SHA-256 than the file that was written"
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        return f"{file.name} cannot be read: {getattr(error, 'strerror', None) or error}"


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of the content of a file, in hexadecimal. Raises: OSError if it cannot be read."""
    sha256 = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            sha256.update(chunk)
    return sha256.hexdigest()


def _describe(file: Path) -> dict:
    return {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
