"""The training loop as an iterator of ticks."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from stylegan.augment import may_leak
from stylegan.checkpoints.native import Contents
from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.data.dataset import Dataset
from stylegan.machine.devices import resolve_device
from stylegan.machine.precision import require_precision
from stylegan.machine.processes import World
from stylegan.machine.surroundings import in_ordinary_torch
from stylegan.runs.best_effort import BestEffort
from stylegan.runs.folder import drop_lines_after, grid_file, repair_interrupted_writes, snapshot_folder
from stylegan.runs.lock import locked
from stylegan.runs.retention import drop_training_state
from stylegan.runs.scores import drop_scores_after, link_best
from stylegan.runs.tick import Tick
from stylegan.runs.tracking import Tracking
from stylegan.training.batches import Batches, check_fits, check_same, identity, open_training_set
from stylegan.training.clock import Clock
from stylegan.training.config import TrainConfig
from stylegan.training.growing import enter_stage
from stylegan.training.health import check_health, count_rollback, must_roll_back
from stylegan.training.phases import train_step
from stylegan.training.replicas import check_equal, micro_batch_size, share_weights
from stylegan.training.schedules import anneal
from stylegan.training.scores import SnapshotScores
from stylegan.training.seeding import seed_torch
from stylegan.training.snapshot import capture, load_snapshot
from stylegan.training.snapshot_grid import SnapshotGrid
from stylegan.training.snapshot_health import SnapshotHealth
from stylegan.training.snapshot_writer import SnapshotWriter
from stylegan.training.state import TrainingState, create_state
from stylegan.training.transfer import start_from_checkpoint


def train(
    config: TrainConfig,
    folder: Path,
    *,
    dataset: Dataset | None = None,
    snapshot: Path | None = None,
    stop: threading.Event | None = None,
    world: World | None = None,
    accepted: Callable[[], None] = lambda: None,
) -> Generator[Tick, None, None]:
    """Train in `folder`, from the newest whole snapshot in it if there is one.

    A resumed run repeats an uninterrupted one bit for bit on a CPU with the same number of threads: images and
    random numbers of a step depend on the seed, the step and the rank alone. Seeds torch's global generator.

    Args:
        folder: an existing folder of a run, see `run.new_run_folder`.
        dataset: the opened data set, if the caller has it.
        snapshot: the newest snapshot, if the caller has found it.
        stop: when set in any process, training ends after the current step with a snapshot.
        world: the processes that train together, see `stylegan.machine.processes.join`. Rank 0 writes.
        accepted: called in rank 0 when the networks, the snapshot and the data have passed all checks, before the first
            file is written.
    Yields: a `Tick` every `config.tick_kimg` and one at the end.
    Raises: ConfigError if the data does not fit the networks; DataError; CheckpointError; OutputError if another
        process trains in this folder, or if the first files or the last snapshot cannot be written (in between, a disk
        that fails causes a warning); DistributedError if another process is lost or computes something else;
        NonFiniteError as `config.on_nan` says.
    """
    world = world or World()
    micro_batch = micro_batch_size(config, world.size)
    dataset = dataset or open_training_set(config.data, config.seed, world.local_size)
    check_fits(config, dataset)
    require_precision(config.precision, world.device_for(resolve_device(config.device)))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.allow_tf32
    z_dim = config.generator["z_dim"]
    grid, health = SnapshotGrid(dataset, z_dim, micro_batch), SnapshotHealth(dataset, z_dim, micro_batch)
    writer = SnapshotWriter(folder, config.keep_snapshots, config.milestone_kimg)
    with locked(folder) if world.is_main else nullcontext(), writer:
        run = _Loop(config, folder, dataset, world, writer, grid, health, SnapshotScores(config, folder, world, stop))
        yield from in_ordinary_torch(run.ticks(snapshot, stop or threading.Event(), accepted), gradients=True)


@dataclass
class _Loop:
    """The loop of a run and everything that writes to its folder. Only rank 0 writes."""

    config: TrainConfig
    folder: Path
    dataset: Dataset
    world: World
    writer: SnapshotWriter
    grid: SnapshotGrid
    health: SnapshotHealth
    measure: SnapshotScores
    best_effort: BestEffort = field(default_factory=BestEffort)

    def ticks(self, snapshot: Path | None, stop: threading.Event, accepted: Callable[[], None]) -> Iterator[Tick]:
        """Train from `snapshot`, else from the newest snapshot, else from the start."""
        config, world = self.config, self.world
        state = self._initial_state(snapshot, accepted)
        total = int(config.kimg * 1000)
        batches = Batches(config, self.dataset, world, end=total)
        clock = Clock(state.nimg)
        stopping = state.nimg >= total
        while not stopping:
            step_config = enter_stage(state, anneal(state, config))
            _seed_step(config, state)
            train_step(state, step_config, batches.next(step_config, state))
            if state.nimg < total:
                batches.await_next(step_config, state, stop)
            stopped = bool(world.largest(stop.is_set()))  # so there is time for a snapshot, and for nothing more
            stopping = stopped or state.nimg >= total
            if state.nimg % int(config.tick_kimg * 1000) >= step_config.batch and not stopping:
                continue

            health = check_health(state)
            if must_roll_back(health, config.on_nan):
                rollbacks = state.rollbacks
                self.writer.wait()
                del state  # so that the device does not hold two
                state = self._initial_state()
                count_rollback(state, rollbacks, health)
                stopping = False
                clock.begin_tick(state.nimg)
                continue
            tick = clock.tick(config, state, state.statistics.collect(world), health.summary())
            due = stopping or tick.tick % config.snap_ticks == 0
            if due:
                check_equal(state)
            if world.is_main:
                tick = self._recorded(tick, state, with_images=due and not stopped)
                if due:
                    tick = self._saved(tick, state, last=stopping, with_images=not stopped)
            if due and not stopped:
                tick = self._scored(tick, state)
            if world.is_main:
                with self.best_effort("index.html"):
                    self.tracking.write_page(finished=state.nimg >= total)
            yield tick
            clock.end_maintenance(state.nimg)

    def _recorded(self, tick: Tick, state: TrainingState, *, with_images: bool) -> Tick:
        """Append the statistics and raise alarms; `with_images` adds statistics of generated images."""
        if with_images:
            tick = replace(tick, stats=tick.stats | self.health(state))
        with self.best_effort("stats.jsonl"):  # before the snapshot, so that a killed run has this line
            self.tracking.add(tick.record())
        if state.augment_p is not None and may_leak(p := float(state.augment_p)):
            message = f"augmentation is at p = {p:.2f}: images may begin to look augmented"
            warnings.warn(f"{message}; use more data.", RuntimeWarning, stacklevel=4)
        return tick

    def _saved(self, tick: Tick, state: TrainingState, *, last: bool, with_images: bool) -> Tick:
        """Write a snapshot and, `with_images`, a grid of images."""
        self.writer.wait()  # the name depends on the snapshots before
        snapshot = snapshot_folder(self.folder, state.nimg)
        if last:
            self.writer.write_last(self._contents(state), snapshot)
        else:
            self.writer.begin(self._contents(state), snapshot)
        if not with_images:
            return replace(tick, snapshot=snapshot)
        with self.best_effort("the image grid"):
            image = self.grid.write_fakes(grid_file(snapshot), state.G_ema)
            tick = replace(tick, grid=image)
        return replace(tick, snapshot=snapshot)

    def _scored(self, tick: Tick, state: TrainingState) -> Tick:
        """Measure the snapshot that is being written, and update the link to the best one."""
        scores = self.measure(state, tick.snapshot)
        if scores and self.world.is_main:
            self.writer.wait()
            link_best(self.folder, self.config.metrics)
        return replace(
            tick,
            scores={name: score.value for name, score in scores.items()},
            same_as_discriminator=frozenset(name for name, score in scores.items() if score.same_as_discriminator),
        )

    def _contents(self, state: TrainingState) -> Contents:
        origin = f"trained by stylegan on {self.dataset.name}, {state.nimg / 1000:g} kimg"
        start = self.config.transfer
        if start.source is not None:
            origin += f", from the weights of {start.source} ({start.origin or 'origin not stated'})"
        return capture(state, origin=origin, licence=start.licence, data=identity(self.dataset))

    def _initial_state(
        self, snapshot: Path | None = None, accepted: Callable[[], None] = lambda: None
    ) -> TrainingState:
        """Return the state of the snapshot, else of the newest, else of the start; equal in all processes.

        All checks come first, then `accepted` and the folder are written.
        """
        state = create_state(self.config, self.world.device_for(resolve_device(self.config.device)))
        state.world = self.world
        state.G_ema.class_names, state.G_ema.label_names = self.dataset.class_names, self.dataset.label_names
        # Rank 0 repairs what a crash left and chooses, so that all resume from the same snapshot and one process warns.
        snapshot = self.world.gather(snapshot or self._newest() if self.world.is_main else None)[0]
        with self.world.all_or_none():
            if snapshot is not None:
                check_same(load_snapshot(state, snapshot), self.dataset)
            elif self.config.transfer.source is not None:
                start_from_checkpoint(state, self.config)
        if self.world.is_main:
            accepted()
            self._prepare_folder(state, snapshot)
            if snapshot is None and self.config.transfer.source is not None:
                # The source may be thinned out, moved or trained further before the first snapshot of this run.
                self.writer.begin(self._contents(state), snapshot_folder(self.folder, 0))
        share_weights(state)
        self.tracking = Tracking(self.folder, self.config.info)
        return state

    def _newest(self) -> Path | None:
        repair_interrupted_writes(self.folder)
        return newest_snapshot(self.folder, to_resume=True)

    def _prepare_folder(self, state: TrainingState, snapshot: Path | None) -> None:
        """Remove from the folder what the run is going to repeat; at the start, write the first image grids."""
        if snapshot is None:
            self.grid.write_reals(self.folder / "reals.png")
            self.grid.write_fakes(self.folder / "fakes_init.png", state.G_ema)
        else:  # `keep_snapshots` may have changed, or the process was killed before this point
            drop_training_state(self.folder, snapshot, self.config.keep_snapshots, self.config.milestone_kimg)
        drop_lines_after(self.folder / "stats.jsonl", state.nimg)
        drop_scores_after(self.folder, state.nimg, self.config.metrics)


def _seed_step(config: TrainConfig, state: TrainingState) -> None:
    """Make all random numbers of a step a function of (seed, step, rank) and of the number of rollbacks."""
    salt = [state.rollbacks] if state.rollbacks else []
    seed_torch(config.seed, state.step, state.world.rank, *salt)
