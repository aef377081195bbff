"""Training from the studio: one run at a time, as a process of its own.

The process is `stylegan train`, so a run of the studio is a run as any other: it can be resumed, looked at and stopped
from a shell too, and a run that was started there is shown here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from stylegan.checkpoints.commands import stylegan_command
from stylegan.checkpoints.snapshots import damage, kimg_of, snapshots
from stylegan.errors import BusyError, ConfigError, DataError, StyleGANError
from stylegan.files.cache import existing_folder, free_bytes
from stylegan.machine.memory import available_bytes
from stylegan.runs.charts import draw_charts
from stylegan.runs.folder import grids_by_kimg
from stylegan.runs.info import read_info
from stylegan.runs.lock import holder
from stylegan.runs.report import read_stats
from stylegan.runs.scores import read_scores
from stylegan.studio.datasets import DataSets
from stylegan.studio.requests import Resume, Train
from stylegan.training.assemble import Given
from stylegan.training.plan import Plan, is_run, new_plan
from stylegan.training.presets import PRESETS, default_cfg
from stylegan.training.timing import seconds_per_kimg

PROGRAM = (sys.executable, "-m", "stylegan")
NICE = 10  # priority of the process: sliders come first
CLOSING_S = 4  # that the end of the studio waits for the last snapshot; it is written in any case
LOG_BYTES = 4000  # of what a training printed last, that is shown
LARGE_STEP = 1 << 30  # bytes of a step that is too large to try
OFFERED = 3  # newest snapshots of a run that are offered as networks


class Trainer:
    """Plans, starts, watches and stops trainings in a folder of runs.

    Args:
        runs: the folder of all runs.
        data: the data sets to train on.
        device: where to train.
        source: finds a network of the studio by its name; raises ConfigError for another.
        compute: runs a function in the thread that owns the device.
        offer: makes a snapshot known as a network, by a name.
    """

    def __init__(
        self,
        runs: Path,
        data: DataSets,
        *,
        device: torch.device,
        source: Callable[[str], Path | str],
        compute: Callable[[Callable[[], Any]], Any],
        offer: Callable[[dict[str, Path]], None],
    ):
        self.runs_folder, self.data = runs.absolute(), data
        self._device, self._source, self._compute, self._offer = device, source, compute, offer
        self._process: subprocess.Popen[bytes] | None = None
        self._run: Path | None = None  # of the process, once it is known
        self._before: set[str] = set()  # names of runs when the process was started
        self._keep = self._stopping = False
        self._lock = threading.Lock()
        self.offer_snapshots()

    # Before a training

    def choices(self) -> dict[str, Any]:
        """Return the presets, with the resolution that each is made for, and that of each resolution by default."""
        return {
            "presets": [
                {"name": name, "resolution": preset.resolution, "kimg": preset.kimg, "tick_kimg": preset.tick_kimg,
                 "snap_ticks": preset.snap_ticks}
                for name, preset in PRESETS.items()
            ],
            "default": {size: default_cfg(size, self._device.type) for size in (16, 32, 64, 128, 256, 512, 1024)},
        }  # fmt: skip

    def plan(self, request: Train) -> dict[str, Any]:
        """Return what a training would need. Raises: ConfigError, DataError for one that is impossible."""
        plan = new_plan(Given(assignments=self._settings(request)), self._weights(request))
        needed, config, problem = plan.needed(), plan.config, None
        try:
            plan.require_room(self.runs_folder)
        except ConfigError as error:
            problem = str(error)
        seconds, measured = self._speed(plan) if problem is None else (None, "")
        return {
            "images": len(plan.dataset),
            "resolution": plan.dataset.resolution,
            "channels": plan.dataset.channels,
            "labels": plan.dataset.label_dim,
            "cfg": config.cfg,
            "batch": config.batch,
            "gamma": config.r1_gamma,
            "precision": config.precision,
            "kimg": config.kimg,
            "device": str(self._device),
            "memory_bytes": needed.memory,
            "memory_free_bytes": available_bytes(self._device),
            "disk_bytes": needed.disk + needed.cache,
            "disk_free_bytes": _finite(free_bytes(existing_folder(self.runs_folder))),
            "snapshots": needed.snapshots + needed.drawings,
            "seconds_per_kimg": seconds,
            "seconds": None if seconds is None else seconds * config.kimg,
            "measured": measured,
            "remarks": [remark for remark in (*plan.remarks, plan.report) if remark],
            "problem": problem,
            "command": stylegan_command(*self._arguments(request)),
        }

    # Start and end

    def start(self, request: Train) -> None:
        """Start a new run. Raises: ConfigError, DataError as `plan`; BusyError while another run is trained."""
        new_plan(Given(assignments=self._settings(request)), self._weights(request)).require_room(self.runs_folder)
        self._spawn(self._arguments(request), None, keep=request.keep)

    def resume(self, request: Resume) -> None:
        """Resume a run. Raises: ConfigError for an unknown run; BusyError while another run is trained."""
        run = self._find(request.run)
        length = [] if request.kimg is None else ["--kimg", f"{request.kimg:g}"]
        self._spawn(["train", "--resume", str(run), *length], run, keep=request.keep)

    def stop(self) -> bool:
        """End the training after its step, with a snapshot. Returns False if none is running."""
        with self._lock:
            self._stopping = True
            if self._alive():
                assert self._process is not None
                self._process.terminate()
                return True
            for run in self._folders():
                if (process := holder(run)) is not None and process != os.getpid():
                    os.kill(process, signal.SIGTERM)
                    return True
        return False

    def close(self) -> None:
        """Stop the training with a snapshot, unless it was started to be kept."""
        if not self._alive() or self._keep:
            return
        assert self._process is not None
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):  # it ends by itself once the snapshot is written
            self._process.wait(CLOSING_S)

    # While it runs, and after

    def state(self) -> dict[str, Any]:
        """Return whether a training runs, in which run, and why the last one failed."""
        with self._lock:
            active, own = self._active(), self._alive()
            code = None if self._process is None else self._process.poll()
            stopping = self._stopping and (own or active is not None)
        state = "idle"
        if own or active is not None:
            state = "stopping" if stopping else "running" if active is not None else "starting"
        elif code is not None:
            # A stop by a signal before the first step ends the process at once: nothing is lost by it.
            stopped = self._stopping and code in (-signal.SIGTERM, 128 + signal.SIGTERM)
            state = "finished" if code == 0 else "stopped" if stopped else "failed"
        self.offer_snapshots()
        return {
            "state": state,
            "run": active.name if active is not None else self._run.name if self._run is not None else None,
            "keep": self._keep,
            "error": self._reason(code) if state == "failed" else None,
            "log": self._printed(),
        }

    def runs(self) -> list[dict[str, Any]]:
        """List the runs, the newest first."""
        return [self._summary(run) for run in sorted(self._folders(), reverse=True)]

    def run(self, name: str) -> dict[str, Any]:
        """Return the progress of a run, the names of its image grids, and its curves as figures of HTML.

        Raises: ConfigError for an unknown run.
        """
        run = self._find(name)
        records = _stats(run)
        grids = sorted(grids_by_kimg(run).items())
        last = records[-1] if records else {}
        notes = last.get("alarms", [])
        return {
            **self._summary(run),
            "seconds_per_kimg": last["Timing/sec_per_kimg"]["mean"] if last else None,
            "ticks": len(records),
            "alarms": [note[0].upper() + note[1:] for note in notes],
            "grids": [{"kimg": max(kimg, 0.0), "name": path.name} for kimg, path in grids],
            "charts": draw_charts(records, read_scores(run)) if records else "",
            "command": stylegan_command("train", "--resume", str(run)),
        }

    def grid(self, name: str, file: str) -> Path:
        """Return the path of an image grid. Raises: ConfigError for an unknown one."""
        for path in (*grids_by_kimg(self._find(name)).values(), self._find(name) / "reals.png"):
            if path.name == file:
                return path
        raise ConfigError(f"the run has no image grid {file[:80]!r}.")

    def offer_snapshots(self) -> None:
        """Make the newest snapshots of all runs known as networks: "00003-... @ 000200"."""
        self._offer(
            {
                f"{run.name} @ {snapshot.name}": snapshot
                for run in sorted(self._folders(), reverse=True)
                for snapshot in snapshots(run)[:OFFERED]
                if (snapshot / "config.json").is_file()
            }
        )

    # Parts of the above

    def _settings(self, request: Train) -> dict[str, Any]:
        """Return the settings of a training by dotted name."""
        if request.cfg is not None and request.cfg not in PRESETS:
            raise ConfigError(f"`cfg` must be one of {', '.join(PRESETS)}, got {request.cfg!r}.")
        preset = PRESETS.get(request.cfg or "")
        asked = {
            "data.path": str(self.data.path(request.data, preset.resolution if preset else None)),
            "cfg": request.cfg,
            "kimg": request.kimg,
            "data.labels": request.labels or None,
            "data.mirror": request.mirror or None,
            "augment.mode": request.augment,
            "tick_kimg": request.tick_kimg,
            "snap_ticks": request.snap_ticks,
            "device": str(self._device),
        }
        return {name: value for name, value in asked.items() if value is not None}

    def _arguments(self, request: Train) -> list[str]:
        """Return the words of the command `stylegan` for a training."""
        words = ["train", "--outdir", str(self.runs_folder)]
        flags = {
            "data.path": "--data",
            "cfg": "--cfg",
            "kimg": "--kimg",
            "data.labels": "--cond",
            "data.mirror": "--mirror",
            "augment.mode": "--aug",
            "tick_kimg": "--tick",
            "snap_ticks": "--snap",
            "device": "--device",
        }
        for setting, value in self._settings(request).items():
            words.append(flags[setting])
            if value is not True:
                words.append(f"{value:g}" if isinstance(value, float) else str(value))
        if (weights := self._weights(request)) is not None:
            words += ["--resume", str(weights), "--transfer"]
        return words

    def _weights(self, request: Train) -> Path | None:
        return None if request.start_from is None else Path(self._source(request.start_from))

    def _spawn(self, arguments: list[str], run: Path | None, *, keep: bool) -> None:
        with self._lock:
            if self._alive() or self._active() is not None:
                raise BusyError("a training runs already; stop it, or wait until it ends.")
            self.runs_folder.mkdir(parents=True, exist_ok=True)
            self._before = {folder.name for folder in self._folders()}
            self._run, self._keep, self._stopping = run, keep, False
            with self._log.open("wb") as log:
                # In a session of its own, so that Ctrl-C in the terminal of the studio does not reach it twice.
                self._process = subprocess.Popen(
                    [*PROGRAM, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            if hasattr(os, "setpriority"):
                with suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)

    @property
    def _log(self) -> Path:
        return self.runs_folder / ".studio-train.txt"

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _active(self) -> Path | None:
        """Return the run in which the own process trains, or any other process of this machine."""
        if self._process is not None and self._run is None:
            new = [run for run in self._folders() if run.name not in self._before]
            text = self._printed()
            self._run = next((run for run in new if f"New run in {run}" in text), None)
        if self._run is not None and self._alive():
            return self._run
        return next((run for run in self._folders() if holder(run) is not None), None)

    def _folders(self) -> list[Path]:
        if not self.runs_folder.is_dir():
            return []
        return [path for path in self.runs_folder.iterdir() if path.name[:5].isdecimal() and is_run(path)]

    def _find(self, name: str) -> Path:
        for run in self._folders():
            if run.name == name:
                return run
        raise ConfigError(f"there is no run {name[:80]!r}; choose one that the studio lists.")

    def _summary(self, run: Path) -> dict[str, Any]:
        records, newest = _stats(run), snapshots(run)[:1]
        try:
            info = read_info(run)
        except ConfigError:
            info = None
        return {
            "name": run.name,
            "cfg": info.cfg if info else "",
            "resolution": info.resolution if info else None,
            "data": Path(info.data).name if info else "",
            "total_kimg": info.kimg if info else None,
            "kimg": records[-1]["nimg"] / 1000 if records else 0.0,
            "snapshot_kimg": kimg_of(newest[0]) if newest else None,
            "network": f"{run.name} @ {newest[0].name}" if newest and damage(newest[0]) is None else None,
        }

    def _speed(self, plan: Plan) -> tuple[float | None, str]:
        """Return the seconds per kimg of a run with these settings, and how they were found."""
        for run in sorted(self._folders(), reverse=True):
            with suppress(ConfigError, DataError):
                info, records = read_info(run), read_stats(run)
                same = (info.cfg, info.resolution, info.batch) == (
                    plan.config.cfg, plan.dataset.resolution, plan.config.batch
                )  # fmt: skip
                if same and len(records) > 1:
                    return records[-1]["Timing/sec_per_kimg"]["mean"], f"as in {run.name}"
        if plan.needed().step > LARGE_STEP:
            return None, "not tried, since one step is large"
        try:
            return self._compute(lambda: seconds_per_kimg(plan.config, self._device)), "measured with a few steps"
        except StyleGANError as error:
            return None, f"not known: {error}"

    def _printed(self) -> str:
        """Return the end of what the process printed."""
        if self._process is None:
            return ""
        try:
            with self._log.open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - LOG_BYTES, 0))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def _reason(self, code: int | None) -> str:
        """Return why the process failed, one sentence."""
        if code is not None and code < 0:
            with suppress(ValueError):
                return f"the training was ended by {signal.Signals(-code).name}; resume it from its newest snapshot."
        lines = [line for line in self._printed().splitlines() if line.strip()]
        return lines[-1][:500] if lines else f"the training ended with status {code}."


def _stats(run: Path) -> list[dict[str, Any]]:
    try:
        return read_stats(run)
    except DataError:  # before the first tick, or while a line is being written
        return _whole_lines(run)


def _whole_lines(run: Path) -> list[dict[str, Any]]:
    with suppress(OSError, ValueError):
        *whole, _ = (run / "stats.jsonl").read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in whole]
    return []


def _finite(bytes: float) -> int | None:
    return None if bytes == float("inf") else int(bytes)
