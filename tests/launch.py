"""A stand-in for torchrun: processes forked from one that has already imported torch, with a common store."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

import torch
from torch import distributed as dist

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["warm"])


class Launch:
    """Start `size` processes that call `target(rank, *args)` and print to `folder`/{rank}.txt."""

    def __init__(self, size: int, folder: Path, target: Callable, *args: object):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):  # it looks nowhere else for `warm`
            forkserver.ensure_running()
        self._store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self.ranks = [
            _context.Process(target=_enter, args=(rank, size, self._store.port, folder, target, args), daemon=True)
            for rank in range(size)
        ]
        self.ended: set[int] = set()
        for process in self.ranks:
            process.start()

    def wait(self, timeout_s: float = 120) -> list[int | None]:
        """Return the exit codes; a killed process has minus the number of the signal."""
        self.look()
        while len(self.ended) < len(self.ranks) and timeout_s > 0:
            before = time.monotonic()
            time.sleep(0.05)
            timeout_s -= min(time.monotonic() - before, 1)  # more is a pause of the machine
            self.look()
        for process in self.ranks:
            process.kill()
            process.join()
        return [process.exitcode for process in self.ranks]

    def look(self) -> None:
        """Record which processes have ended."""
        self.ended = {rank for rank, process in enumerate(self.ranks) if process.exitcode is not None}

    def output(self, rank: int) -> str:
        return (self.folder / f"{rank}.txt").read_text()


def command(rank: int, *arguments: object) -> None:
    """Run `stylegan ARGUMENTS`, as a target of `launch`."""
    from stylegan.cli.main import main

    sys.argv = ["stylegan", *map(str, arguments)]
    main()


def _enter(rank: int, size: int, port: int, folder: Path, target: Callable, args: tuple) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        TORCHELASTIC_USE_AGENT_STORE="True", TORCHELASTIC_RUN_ID="tests",
    )  # fmt: skip
    out = os.open(folder / f"{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout = sys.stderr = os.fdopen(out, "w", buffering=1)
    torch.set_num_threads(1)
    try:
        target(rank, *args)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
