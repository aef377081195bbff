"""The training of an encoder as an object: a folder, and ticks while it is iterated.

for tick in train_encoder("avatars64", kimg=16):
    print(tick)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from stylegan.checkpoints.open import drawing_generator, read
from stylegan.checkpoints.snapshots import newest_snapshot, nimg_of
from stylegan.errors import ConfigError
from stylegan.files.atomic import write_text
from stylegan.files.paths import local_path
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.tasks import Task
from stylegan.machine.devices import resolve_device
from stylegan.machine.memory import keep_freed_memory
from stylegan.machine.surroundings import in_ordinary_torch
from stylegan.models import find
from stylegan.runs.best_effort import BestEffort
from stylegan.runs.folder import (
    drop_lines_after,
    grid_file,
    make_numbered_folder,
    repair_interrupted_writes,
    snapshot_folder,
)
from stylegan.runs.lock import locked
from stylegan.runs.tick import Tick
from stylegan.runs.tracking import Tracking
from stylegan.training.batches import check_same, identity
from stylegan.training.clock import Clock
from stylegan.training.encoder.batches import EncoderData, next_batch, random_labels
from stylegan.training.encoder.config import EncoderConfig, encoder_config, read_encoder_config
from stylegan.training.encoder.losses import loss_of
from stylegan.training.encoder.sheet import Sheet
from stylegan.training.encoder.state import EncoderState, capture, create_state, fit_start, load_state
from stylegan.training.failures import in_one_sentence
from stylegan.training.seeding import seed_torch
from stylegan.training.snapshot_writer import SnapshotWriter

TRAINING_SIDE = 64  # pixels from which the perceptual distance is computed in training; smaller images are enlarged


class EncoderRun:
    """The training of an encoder, which advances while it is iterated and yields a `Tick` every `config.tick_kimg`.

    Leaving the iteration ends it at once; `stop` ends it after the step, with a snapshot. A second iteration continues
    from the newest snapshot, and repeats on a CPU what an uninterrupted run computes, bit for bit. The run holds the
    lock of its folder while it is iterated, and seeds torch's global generator.

    Attributes:
        config, folder: the settings, and the folder of the run.
        headline: a line for the reader.
        licence, origin: of the weights of the network.
    """

    def __init__(self, config: EncoderConfig, folder: Path | None, outdir: Path | str = "runs"):
        source = find(config.network)
        checkpoint = read(source, to_draw=True)
        self.licence, self.origin = checkpoint.licence, checkpoint.origin
        device = resolve_device(config.device)
        self.G = drawing_generator(checkpoint, source).to(device).eval().requires_grad_(False)
        if self.G.img_channels not in (1, 3):
            raise ConfigError(f"an encoder compares gray or RGB images, got {self.G.img_channels} channels.")
        random_labels(self.G, config.label, 1)  # raises
        self.data = EncoderData(config, self.G) if config.data is not None else None
        task = Task(name=config.task, input_px=config.input_px)
        self.task = task if self.data is None else self.data.task(config)
        self.perceptual = PerceptualDistance(device, smallest_side=TRAINING_SIDE) if config.perceptual_weight else None
        self.config, self._stop, self._best_effort = config, threading.Event(), BestEffort()
        resumed = folder is not None
        self.folder = folder or make_numbered_folder(outdir, config.title, config.to_json())
        with locked(self.folder):
            newest = self._newest()
        if newest is not None and (nimg_of(newest) or 0) >= int(config.kimg * 1000):
            raise ConfigError(f"the run {self.folder} is finished; start another with more `kimg`.")
        start = f" from {(nimg_of(newest) or 0) / 1000:.9g} kimg" if newest is not None else ""
        self.headline = (
            f"{'Resuming' if resumed else 'New run in'} {self.folder}{start}\n{config.summary}, {config.kimg:g} kimg."
        )

    def stop(self) -> None:
        """End the iteration after the current step, with a snapshot. May be called from any thread."""
        self._stop.set()

    def __iter__(self) -> Iterator[Tick]:
        """Train. Raises: OutputError if another process trains in the folder, or it cannot be written."""
        writer = SnapshotWriter(self.folder, self.config.keep_snapshots)
        with in_one_sentence(self.folder, "use a smaller `batch`"), locked(self.folder), writer:
            try:
                yield from in_ordinary_torch(self._ticks(writer), gradients=True)
            finally:
                self._stop.clear()

    def _ticks(self, writer: SnapshotWriter) -> Iterator[Tick]:
        config, total = self.config, int(self.config.kimg * 1000)
        sheet = Sheet(self.G, self.task, config, self.data)
        state = self._initial_state(sheet)
        tracking, clock = Tracking(self.folder, config), Clock(state.nimg)
        stopping = state.nimg >= total
        while not stopping:
            self._step(state)
            stopping = self._stop.is_set() or state.nimg >= total
            if state.nimg % int(config.tick_kimg * 1000) >= config.batch and not stopping:
                continue
            tick = clock.tick(config, state, state.statistics.collect(), {})
            with self._best_effort("stats.jsonl"):  # before the snapshot, so that a killed run has this line
                tracking.add(tick.record())
            if stopping or tick.tick % config.snap_ticks == 0:
                tick = self._saved(tick, state, writer, sheet, last=stopping)
            with self._best_effort("index.html"):
                tracking.write_page(finished=state.nimg >= total)
            with self._best_effort("log.txt"), (self.folder / "log.txt").open("a", encoding="utf-8") as log:
                log.write(line_of(tick) + "\n")
            yield tick
            clock.end_maintenance(state.nimg)

    def _step(self, state: EncoderState) -> None:
        """Train on the next batch. Its random numbers depend on the seed and the step alone."""
        seed_torch(self.config.seed, 0, state.step)
        batch = next_batch(self.G, self.task, self.config, self.data, state.nimg)
        state.encoder.requires_grad_(True)
        loss = loss_of(self.G, state.encoder, batch, self.config, self.perceptual, state.w, state.statistics)
        for group in state.optimizer.param_groups:
            group["lr"] = self.config.learning_rate(state.nimg)
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        state.nimg += self.config.batch
        state.step += 1

    def _saved(self, tick: Tick, state: EncoderState, writer: SnapshotWriter, sheet: Sheet, *, last: bool) -> Tick:
        """Write a snapshot and a sheet."""
        writer.wait()  # the name depends on the snapshots before
        folder = snapshot_folder(self.folder, state.nimg)
        files = capture(state, self.config, self._identity())
        (writer.write_last if last else writer.begin)(files, folder)
        with self._best_effort("the image grid"):
            tick = replace(tick, grid=sheet.write(grid_file(folder), self.G, state.encoder))
        return replace(tick, snapshot=folder)

    def _initial_state(self, sheet: Sheet) -> EncoderState:
        """Return the state of the newest snapshot, else of the start."""
        state = create_state(self.G, self.task, self.config, resolve_device(self.config.device))
        newest = self._newest()
        if newest is None:
            fit_start(state, self.G, self.config)
            write_text(self.folder / "config.json", self.config.to_json())
            sheet.write(self.folder / "fakes_init.png", self.G, state.encoder)
        else:
            seen = load_state(state, newest)
            if self.data is not None:
                check_same(seen, self.data.images)
        drop_lines_after(self.folder / "stats.jsonl", state.nimg)
        return state

    def _newest(self) -> Path | None:
        repair_interrupted_writes(self.folder)
        return newest_snapshot(self.folder, to_resume=True)

    def _identity(self) -> dict[str, Any]:
        return {} if self.data is None else identity(self.data.images)


def train_encoder(network: Path | str, outdir: Path | str = "runs", **settings: Any) -> EncoderRun:
    """Return a run that trains an encoder while it is iterated.

    >>> run = train_encoder("avatars64", data="faces64.zip", kimg=16)
    >>> for tick in run:
    ...     print(tick.stats["Loss/encoder/latent"]["mean"])
    >>> encoder = load_encoder(run.folder)

    Args:
        network: a checkpoint of any generation, a run, or the name of a bundled network.
        outdir: where to make the folder of the run.
        settings: fields of `EncoderConfig`.
    Raises: ConfigError for an impossible setting; DataError, CheckpointError; MissingExtra without the package of the
        perceptual distance; OutputError if `outdir` cannot be written.
    """
    given = {"network": network, **settings}
    paths = {name: _located(given[name]) for name in ("network", "data", "inputs") if given.get(name) is not None}
    keep_freed_memory()
    return EncoderRun(encoder_config({**given, **paths}), None, outdir)


def _located(path: Path | str) -> str:
    """Return a path from which the run can be resumed in any folder; a URL or the name of a network as it is."""
    place = local_path(path)
    return str(place.resolve()) if place.exists() else str(path)


def resume_encoder(folder: Path | str) -> EncoderRun:
    """Return the run of an encoder in this folder, which continues from its newest snapshot.

    Raises: ConfigError if this is not the run of an encoder, or it is finished.
    """
    folder = local_path(folder)
    config = read_encoder_config(folder)
    keep_freed_memory()
    return EncoderRun(config, folder)


def line_of(tick: Tick) -> str:
    """Return the line of a tick: progress, and the errors of the encoder."""
    names = {"latent": "Loss/encoder/latent", "pixels": "Loss/encoder/pixels", "perceptual": "Loss/encoder/perceptual"}
    errors = [f"{label} {tick.stats[name]['mean']:.4f}" for label, name in names.items() if name in tick.stats]
    progress = f"tick {tick.tick:<4d}  kimg {tick.nimg / 1000:<8.1f}  sec/kimg {tick.sec_per_kimg:<7.1f}"
    return "  ".join([progress, *errors])
