"""Work of a process that is going to be killed: train, and die at a given point of a save."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import torch
import warm  # noqa: F401  # setup that every process would otherwise repeat
from save_calls import hooked
from small_run import small_files

from stylegan.training.config import read_config
from stylegan.training.loop import train


def train_in_process(
    run: Path,
    die_at: tuple[int, str] | None = None,
    die_after: float | None = None,
    log: Path | None = None,
    one_folder: bool = False,
) -> None:
    """Start or resume training in `run`, with the settings of its config.json.

    Args:
        die_at: number of the save and name of its call before which the process gets SIGKILL.
        die_after: seconds of processor time after which it gets SIGKILL; they do not depend on the load of the machine.
        log: a file for the names of all calls of saves, and at the end the processor time.
        one_folder: each snapshot takes the place of the one before.
    """

    def hook(save: int, point: str) -> None:
        if (save, point) == die_at:
            _die()
        if log is not None:
            with log.open("a") as file:
                file.write(f"{save} {point}\n")

    torch.set_num_threads(1)
    if die_after is not None:
        threading.Thread(target=_die_after, args=(die_after,), daemon=True).start()
    with ExitStack() as stack:
        stack.enter_context(small_files(one_folder=one_folder))
        if die_at or log:
            stack.enter_context(hooked(hook))
        for _ in train(read_config(run / "config.json"), run):
            pass
    if log is not None:
        with log.open("a") as file:
            file.write(str(time.process_time()))


def _die_after(seconds: float) -> None:
    while time.process_time() < seconds:
        time.sleep(0.001)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
