"""Names of files in sources: their plain form, and those of files that are no data.

Operating systems, file systems and tools leave such files and folders beside images.
"""

from __future__ import annotations

import re

_NAMES = {
    # macOS, in zips too
    *("__macosx", "icon\r", "desktop db", "desktop df", "network trash folder", "temporary items"),
    # Windows
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin", "system volume information"),
    # network storage
    *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
    # file systems and Python
    *("lost+found", "lost.dir", "__pycache__"),
}
_ENDINGS = (
    *("~", ".bak", ".orig", ".rej", ".swp", ".swo", ".tmp", ".temp", ".lock"),  # editors
    *(".part", ".partial", ".filepart", ".crdownload", ".opdownload", ".download", ".aria2", ".!qb"),  # downloads
    ":zone.identifier",  # where Windows notes that a file was downloaded
)
_NOT_PLAIN = re.compile(r"\\|//|(?:^|/)\.(?:/|$)")
_OTHERS = re.compile(r"#.+#|found\.\d{3}")  # of Emacs and chkdsk


def plain_name(name: str) -> str:
    """Return the name of a file in an archive or a list with "/" between folders, and without "." among them."""
    if not _NOT_PLAIN.search(name):
        return name  # of a million names, nearly all
    first, *others = name.replace("\\", "/").split("/")  # some programs for Windows write backslashes
    parts = [part for part in others if part not in ("", ".")]
    return "/".join(parts if first == "." and parts else [first, *parts])


def is_leftover(part: str) -> bool:
    """Return whether a file or folder of this name, without the folders above it, is hidden or left behind."""
    if part in ("", ".", "~") or part.startswith(".."):
        return False
    folded = part.casefold()
    return (
        part.startswith((".", "~$"))
        or folded in _NAMES
        or folded.endswith(_ENDINGS)
        or _OTHERS.fullmatch(folded) is not None
    )


def leftover(name: str) -> str | None:
    """Return the outermost leftover in a relative name with "/": `a/.git/b.png` -> `a/.git`; None without any."""
    parts = name.split("/")
    first = next((i for i, part in enumerate(parts) if is_leftover(part)), None)
    return None if first is None else "/".join(parts[: first + 1])
