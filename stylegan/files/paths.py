"""Paths as people type them: the home folder, and names that promise a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from stylegan.errors import ConfigError

# Endings that no folder has: one of that name would be mistaken for an archive, an image or a network.
_FILES = {
    *(".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"),
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".mp4", ".webm", ".mov", ".mkv"),
    *(".pkl", ".pt", ".pth", ".safetensors", ".npy", ".npz", ".h5", ".hdf5", ".tfrecords", ".lmdb", ".json"),
}


def local_path(path: str | os.PathLike[str]) -> Path:
    """Return a path with a leading ~, ~user, $HOME or ${HOME} replaced by that folder; any other path is unchanged.

    A shell does the same at the beginning of a word, but not after an equals sign, in quotes or in a settings file.
    """
    text = re.sub(r"^\$(HOME\b|\{HOME\})", "~", os.fspath(path))
    return Path(os.path.expanduser(text))


def refuse_name_of_file(folder: Path, expected: str) -> None:
    """Raise ConfigError if a folder that does not exist yet has the ending of a file.

    Args:
        expected: the first part of the sentence, such as "images are written to a folder".
    """
    ending = folder.suffix.lower()
    if ending in _FILES and not os.path.isdir(folder):  # unlike Path.is_dir, it raises nothing
        raise ConfigError(f"{expected}, but {folder} ends like a file; leave out {folder.suffix}.")
