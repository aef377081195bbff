"""The training loop, as an iterator of ticks: the command line prints them, a notebook plots them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.augment import may_leak
from stylegan.checkpoints.native import Contents, resolve_device
from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.data.dataset import Dataset, to_float
from stylegan.data.sharded import open_any
from stylegan.distributed import World
from stylegan.errors import ConfigError
from stylegan.networks.precision import require_precision
from stylegan.training.alarms import snapshot_health
from stylegan.training.best_effort import BestEffort
from stylegan.training.config import DataConfig, TrainConfig
from stylegan.training.growing import enter_stage, fade
from stylegan.training.health import count_rollback, examine, must_leave
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.replicas import check_equal, micro_batch_size, share_weights
from stylegan.training.retention import drop_training_state
from stylegan.training.run_folder import drop_lines_after, mend_interrupted_writes, snapshot_folder
from stylegan.training.run_lock import locked
from stylegan.training.scores import SnapshotScores, drop_scores_after, link_best
from stylegan.training.snapshot import capture, load_snapshot
from stylegan.training.snapshot_grid import SnapshotGrid
from stylegan.training.snapshot_writer import SnapshotWriter
from stylegan.training.state import TrainingState, create_state
from stylegan.training.tick import Clock, Tick
from stylegan.training.tracking import Tracking
from stylegan.training.transfer import start_from_checkpoint


def train(
    config: TrainConfig,
    run: Path,
    *,
    dataset: Dataset | None = None,
    snapshot: Path | None = None,
    stop: threading.Event | None = None,
    world: World | None = None,
) -> Iterator[Tick]:
    """Train in the folder `run`; if that holds a snapshot, go on from the newest that is whole.

    A resumed run repeats an uninterrupted one bit for bit on a CPU with the same number of threads: pictures and
    random numbers of a step depend on the seed, the step and the rank alone. Seeds torch's global generator.

    Args:
        run: a folder that exists, see `new_run_folder`.
        dataset: the opened data set, if the caller has it already.
        snapshot: the newest snapshot, if the caller has looked for it already.
        stop: when set, training ends after the current step with a snapshot; of several processes, all end.
        world: the processes that train together, see `stylegan.distributed.join`. Rank 0 writes.
    Yields: a `Tick` every `config.tick_kimg` and one at the end.
    Raises: ConfigError if the data does not fit the networks; DataError, CheckpointError; OutputError if nothing can
        be written at the start or the last snapshot cannot (in between, what the disk refuses is a warning), or if
        another process trains in this folder;
        DistributedError if another process is lost or computes something else; NonFiniteError as `config.on_nan`
        says.
    """
    world = world or World()
    micro_batch = micro_batch_size(config, world.size)
    dataset = dataset or open_dataset(config.data, config.seed)
    check_fits(config, dataset)
    require_precision(config.precision, world.place(resolve_device(config.device)))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.allow_tf32
    grid = SnapshotGrid(dataset, config.generator["z_dim"], micro_batch)
    with locked(run) if world.first else nullcontext(), SnapshotWriter(run, config.keep_snapshots) as writer:
        yield from _ticks(config, run, dataset, grid, snapshot, stop, world, writer)


def _ticks(
    config: TrainConfig,
    run: Path,
    dataset: Dataset,
    grid: SnapshotGrid,
    snapshot: Path | None,
    stop: threading.Event | None,
    world: World,
    writer: SnapshotWriter,
) -> Iterator[Tick]:
    measure = SnapshotScores(config, run, world, stop)
    state = _begun(config, run, dataset, grid, world, snapshot)
    total = int(config.kimg * 1000)
    clock, tracking, best_effort = Clock(state.nimg), Tracking(run, config), BestEffort()
    stopping = state.nimg >= total
    while not stopping:
        here = enter_stage(state, config)
        _seed_step(config, state)
        train_step(state, here, _micro_batches(here, state, dataset))
        stopping = state.nimg >= total or bool(world.largest(bool(stop and stop.is_set())))
        if state.nimg % int(config.tick_kimg * 1000) >= here.batch and not stopping:
            continue

        health = examine(state)
        if must_leave(health, config.on_nan):
            rollbacks = state.rollbacks
            writer.wait()
            del state  # the device need not hold two
            state = _begun(config, run, dataset, grid, world)
            count_rollback(state, rollbacks, health)
            tracking, stopping = Tracking(run, config), False
            clock.begin_tick(state.nimg)
            continue
        result = clock.tick(config, state, state.statistics.collect(world), health.told())
        due = stopping or result.tick % config.snap_ticks == 0
        if due:
            check_equal(state)
        if world.first:
            result = _record(result, state, config, dataset, grid, tracking, best_effort, due=due)
            if due:
                result = _save(result, state, config, dataset, grid, writer, best_effort, last=stopping)
        if due and (not stopping or state.nimg >= total):  # who is told to stop has no time for more
            result = replace(result, scores=_measured(measure, state, config, writer))
        if world.first:
            with best_effort("index.html"):
                tracking.write_page(finished=state.nimg >= total)
        yield result
        clock.end_maintenance(state.nimg)


def _record(
    result: Tick,
    state: TrainingState,
    config: TrainConfig,
    dataset: Dataset,
    grid: SnapshotGrid,
    tracking: Tracking,
    best_effort: BestEffort,
    *,
    due: bool,
) -> Tick:
    """Keep the statistics of a tick, with those of its pictures where a snapshot is due, and warn of what they tell."""
    if due:
        result = replace(result, stats=result.stats | snapshot_health(state, dataset, grid))
    with best_effort("stats.jsonl"):  # before the snapshot: after it, a killed run would never write this line
        tracking.add(result.record())
    if config.augment.mode == "ada" and may_leak(result.augment_p):
        message = f"augmentation is at p = {result.augment_p:.2f}: pictures may begin to look augmented"
        warnings.warn(f"{message}; use more data.", RuntimeWarning, stacklevel=4)
    return result


def _save(
    result: Tick,
    state: TrainingState,
    config: TrainConfig,
    dataset: Dataset,
    grid: SnapshotGrid,
    writer: SnapshotWriter,
    best_effort: BestEffort,
    *,
    last: bool,
) -> Tick:
    """Keep the snapshot and the grid of pictures of a tick."""
    folder = snapshot_folder(writer.run, state.nimg)
    (writer.write_last if last else writer.begin)(_capture(state, config, dataset), folder)
    with best_effort("the picture grid"):
        picture = grid.write_fakes(writer.run / f"fakes{state.nimg // 1000:06d}.png", state.G_ema)
        result = replace(result, grid=picture)
    return replace(result, snapshot=folder)


def _measured(
    measure: SnapshotScores, state: TrainingState, config: TrainConfig, writer: SnapshotWriter
) -> dict[str, float]:
    """The scores of the snapshot that is being written, to which `best` may lead from now on."""
    scores = measure(state, snapshot_folder(writer.run, state.nimg))
    if scores and state.world.first:
        writer.wait()
        link_best(writer.run, config.metrics)
    return scores


def open_dataset(data: DataConfig, seed: int) -> Dataset:
    """The data set of a configuration; the seed chooses the subset."""
    dataset = open_any(
        data.path,
        use_labels=data.labels,
        max_images=data.max_images,
        mirror=data.mirror,
        held_out=data.held_out,
        seed=seed,
        workers=data.workers,
        cache_gb=data.cache_gb,
    )
    if data.balanced:
        _ = dataset.class_members  # raises now what would end the run at its first step
    return dataset


def check_fits(config: TrainConfig, dataset: Dataset) -> None:
    """Raises ConfigError unless the networks take and draw what the data set holds."""
    for name, found in (
        ("img_resolution", dataset.resolution),
        ("img_channels", dataset.channels),
        ("c_dim", dataset.label_dim),
    ):
        for network in ("generator", "discriminator"):
            expected = getattr(config, network)[name]
            if expected != found:
                raise ConfigError(
                    f"{network} has {name} {expected}, but the data set {dataset.path} has {found}; "
                    "train on data like that of the run, or start a new run."
                )


def _newest(run: Path) -> Path | None:
    mend_interrupted_writes(run)
    return newest_snapshot(run, to_resume=True)


def _begun(
    config: TrainConfig, run: Path, dataset: Dataset, grid: SnapshotGrid, world: World, snapshot: Path | None = None
) -> TrainingState:
    """The state of the snapshot, else of the newest or of the start, equal in all processes."""
    state = create_state(config, world.place(resolve_device(config.device)))
    state.world = world
    state.G_ema.class_names, state.G_ema.label_names = dataset.class_names, dataset.label_names
    # Rank 0 mends what a crash left and chooses, so that all go on from the same and one tells what is damaged.
    snapshot = world.gather(snapshot or _newest(run) if world.first else None)[0]
    _begin_or_go_on(config, run, state, dataset, grid, snapshot)
    share_weights(state)
    return state


def _begin_or_go_on(
    config: TrainConfig, run: Path, state: TrainingState, dataset: Dataset, grid: SnapshotGrid, snapshot: Path | None
) -> None:
    """Bring `state` to the snapshot; without one, to where the run starts, and draw the first grids."""
    first = state.world.first
    if snapshot is not None:
        _check_same_data(load_snapshot(state, snapshot), dataset)
        if first:  # `keep_snapshots` may have changed, or the process was killed before it came to this
            drop_training_state(run, snapshot, config.keep_snapshots)
    elif config.transfer.source is not None:
        start_from_checkpoint(state, config)
    if snapshot is None and first:
        grid.write_reals(run / "reals.png")
        grid.write_fakes(run / "fakes_init.png", state.G_ema)
    if first:
        drop_lines_after(run / "stats.jsonl", state.nimg)
        drop_scores_after(run, state.nimg, config.metrics)


def _capture(state: TrainingState, config: TrainConfig, dataset: Dataset) -> Contents:
    origin = f"trained by stylegan on {dataset.name}, {state.nimg / 1000:g} kimg"
    start = config.transfer
    if start.source is not None:
        origin += f", from the weights of {start.source} ({start.origin or 'origin not stated'})"
    return capture(state, origin=origin, licence=start.licence, data=_describe(dataset))


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {"pictures": len(dataset), "data_fingerprint": dataset.fingerprint}


def _check_same_data(seen: dict[str, Any], dataset: Dataset) -> None:
    """A run goes on with the pictures that it began with, or says so."""
    if seen.get("pictures", len(dataset)) != len(dataset):
        raise ConfigError(
            f"the run was trained on {seen['pictures']} pictures, but {dataset.path} now has {len(dataset)}; "
            "give the same data, or start a new run."
        )
    if seen.get("data_fingerprint", dataset.fingerprint) != dataset.fingerprint:
        warnings.warn(f"{dataset.path} was changed or moved since the last snapshot.", RuntimeWarning, stacklevel=3)


def _seed_step(config: TrainConfig, state: TrainingState) -> None:
    """Make all random numbers of a step a function of (seed, step, rank), and after rollbacks of their number."""
    salt = [state.rollbacks] if state.rollbacks else []
    low, high = np.random.SeedSequence([config.seed, state.step, state.world.rank, *salt]).generate_state(2)
    torch.manual_seed(int(low) << 31 ^ int(high))


def _micro_batches(config: TrainConfig, state: TrainingState, dataset: Dataset) -> list[MicroBatch]:
    """This process's share of the next pictures of the shuffled data set, cut to size."""
    size = micro_batch_size(config, state.world.size)
    indices, fake = _choose(config, state.nimg, state.world, dataset)
    img = fade(to_float(_upload(dataset.images(indices), state.device)), state.lod)
    parts = (
        img.contiguous(memory_format=torch.channels_last).split(size),
        _upload(dataset.labels(indices), state.device).split(size),
        _upload(dataset.labels(fake), state.device).split(size),
    )
    return [MicroBatch(*part) for part in zip(*parts, strict=True)]


def _choose(config: TrainConfig, nimg: int, world: World, dataset: Dataset) -> tuple[np.ndarray, Tensor]:
    """The next real pictures, and others whose labels the generated ones take: distributed alike."""
    balanced, share = config.data.balanced, config.batch // world.size
    real = dataset.order(config.seed, nimg, config.batch, world.rank, world.size, balanced=balanced)
    if not balanced:
        return real, torch.randint(len(dataset), [share])
    some = torch.tensor([pictures[0] for pictures in dataset.class_members])  # one of each class has its label
    return real, some[torch.randint(len(some), [share])]


def _upload(x: Tensor, device: torch.device) -> Tensor:
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
