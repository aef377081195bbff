"""The networks that ship with the library: one checkpoint folder each, named by its data and its resolution.

`stylegan.checkpoints.load` takes these names where it takes a path. `stylegan.checkpoints.bundle` writes the folders.
"""

from __future__ import annotations

import os
from pathlib import Path

from stylegan.errors import CheckpointError
from stylegan.files.paths import local_path

__all__ = ["DEFAULT", "FOLDER", "bundled", "find", "shown"]

FOLDER = Path(__file__).parent
DEFAULT = "avatars64"  # the network to draw with if none is named


def bundled() -> dict[str, Path]:
    """Return the bundled networks in alphabetical order: name -> checkpoint folder."""
    configs = sorted(FOLDER.glob("[!.]*/config.json"))  # a name with a dot is a folder that is being written
    return {config.parent.name: config.parent for config in configs}


def shown(path: Path) -> str:
    """Return how messages name a network: the name of a bundled one, else its path."""
    return path.name if path in bundled().values() else str(path)


def find(source: Path | str) -> Path:
    """Return the path `source` if it exists, else the folder of the bundled network of that name.

    Raises: CheckpointError if it is neither; the message lists the names.
    """
    networks = bundled()
    path = local_path(source)
    if os.path.exists(path):  # unlike Path.exists, it raises nothing
        return path
    if str(source) in networks:
        return networks[str(source)]
    from stylegan.models.published import find_published  # which few need

    if (entry := find_published(str(source))) is not None:
        raise CheckpointError(
            f"{source} is the name of a published network; download {entry.name} with `convert` and choose the result."
        )
    raise CheckpointError(
        f"{source} does not exist; expected a checkpoint, a run folder or the name of a bundled network: "
        f"{', '.join(networks)}."
    )
