"""Named points at which a test can kill a save or let it fail: every call that writes to the disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from stylegan.checkpoints import native
from stylegan.files import atomic
from stylegan.training.snapshot_writer import SnapshotWriter

Hook = Callable[[int, str], None]


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """Call `hook(save, point)` before each call of the save number 0, 1, ... and in the middle of each write."""
    inside = threading.local()
    saves = -1

    def reached(point: str) -> None:
        if getattr(inside, "save", None) is not None:
            hook(inside.save, point.replace(f".{os.getpid()}.", ".PID."))

    def write(self: SnapshotWriter, *arguments: Any) -> None:
        nonlocal saves
        saves += 1
        inside.save = saves
        try:
            originals["write"](self, *arguments)
        finally:
            inside.save = None

    def write_text(path: Path, text: str, **options: Any) -> int:
        reached(f"write {path.name}")
        originals["text"](path, text[: len(text) // 2], **options)
        reached(f"half of {path.name}")
        return originals["text"](path, text, **options)

    def save_file(tensors: dict, path: Path) -> None:
        reached(f"write {path.name}")
        originals["tensors"](tensors, path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        reached(f"half of {path.name}")
        path.write_bytes(whole)

    def named(name: str) -> Callable:
        def call(path: Path, *arguments: Any, **options: Any) -> Any:
            reached(f"{name} {Path(arguments[0] if name == 'replace' else path).name}")
            return originals[name](path, *arguments, **options)

        return call

    targets = {
        "write": (SnapshotWriter, "_write", write),
        "text": (Path, "write_text", write_text),
        "tensors": (native, "save_file", save_file),
        "mkdir": (Path, "mkdir", named("mkdir")),
        "unlink": (Path, "unlink", named("unlink")),
        "fsync": (atomic, "_sync", named("fsync")),
        "replace": (os, "replace", named("replace")),
    }
    originals = {name: getattr(owner, attribute) for name, (owner, attribute, _) in targets.items()}
    with ExitStack() as stack:
        for owner, attribute, replacement in targets.values():
            stack.enter_context(mock.patch.object(owner, attribute, replacement))
        yield
