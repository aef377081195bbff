"""Plans of runs: settings, images and needs of a run that has not been written yet."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stylegan.checkpoints.snapshots import kimg_of, newest_snapshot, nimg_of, snapshots
from stylegan.data.dataset import Dataset
from stylegan.data.label_summary import label_summary
from stylegan.data.pixels import Track, untracked
from stylegan.data.samples import avatars
from stylegan.data.shards.remote import is_url
from stylegan.errors import ConfigError
from stylegan.files.cache import default_cache
from stylegan.files.paths import local_path
from stylegan.machine.devices import resolve_device
from stylegan.machine.precision import Choice, best_precision, require_precision
from stylegan.machine.processes import World
from stylegan.training.assemble import Given, Settings, assemble
from stylegan.training.batches import check_fits, open_training_set
from stylegan.training.config import DataConfig, TrainConfig, changed, data_config, read_config
from stylegan.training.estimate import Estimate, estimate, largest_micro_batch, require_room
from stylegan.training.presets import PRESETS, default_cfg
from stylegan.training.replicas import micro_batch_size, require_even_split
from stylegan.training.transfer import open_start, settings_to_take_over, transfer_report

# What a resumed run may change: its length, what it writes, keeps and measures, the machine, the place of its data ...
KEEP_NUMBERS = (
    "kimg", "tick_kimg", "snap_ticks", "keep_snapshots", "milestone_kimg", "metrics", "feature_net", "feature_resize",
    "feature_range", "on_nan", "device", "data.path", "data.workers", "data.cache_gb",
)  # fmt: skip
# ... and how it computes, which rounds differently, or groups the images of a batch differently.
CHANGE_ROUNDING = ("micro_batch", "precision", "compile", "allow_tf32")
CHANGEABLE = KEEP_NUMBERS + CHANGE_ROUNDING


@dataclass(frozen=True)
class Plan:
    """A run that has not started.

    Raises: ConfigError if the processes cannot share a batch evenly, the data does not fit the networks, or the device
        lacks the precision.
    """

    config: TrainConfig
    dataset: Dataset
    world: World = field(default_factory=World)
    folder: Path | None = None  # of the run to resume; None for a new one
    report: str = ""  # what a new run takes over from trained weights
    precision_reason: str = ""  # the measurement by which the precision of a new run was chosen
    remarks: tuple[str, ...] = ()  # sentences on what the settings imply that the user may not expect

    def __post_init__(self) -> None:
        require_even_split(self.config, self.world.size)
        check_fits(self.config, self.dataset)
        require_precision(self.config.precision, self.world.device_for(resolve_device(self.config.device)))

    def needed(self) -> Estimate:
        """Estimate the memory of this process, and the disk that is left to fill."""
        micro_batch = micro_batch_size(self.config, self.world.size)
        done = next(map(kimg_of, snapshots(self.folder)), 0.0) if self.folder else 0.0
        needed = estimate(self.config.model_copy(update={"micro_batch": micro_batch}), int(done * 1000))
        return replace(needed, cache=self.dataset.cache_bytes_needed())

    def snapshot_to_resume(self) -> Path | None:
        """Return the newest undamaged snapshot of the run to resume; None for a new run, or one without snapshots.

        Raises: CheckpointError if every snapshot is damaged; ConfigError if the run has reached its length.
        """
        newest = newest_snapshot(self.folder, to_resume=True) if self.folder is not None else None
        nimg = nimg_of(newest) if newest is not None else None
        if nimg is not None and nimg >= int(self.config.kimg * 1000):
            done = nimg / 1000
            raise ConfigError(
                f"{self.folder} is finished: it has been trained for {done:g} kimg, and `kimg` is "
                f"{self.config.kimg:g}; give `kimg` a value above {done:g} to train it longer."
            )
        return newest

    def fill_cache(self, track: Track = untracked) -> None:
        """Decode the images into the cache, once per machine, see `Dataset.fill_cache`. Every process calls it."""
        with self.world.local_main_first(), nullcontext() if self.world.is_main else warnings.catch_warnings():
            if not self.world.is_main:
                warnings.simplefilter("ignore")  # rank 0 gives the same warning
            self.dataset.fill_cache(track)

    def require_room(self, outdir: Path) -> None:
        """Raise ConfigError if memory is too small for the run, or the disk of its folder, new in `outdir`."""
        device = self.world.device_for(resolve_device(self.config.device))
        require_room(self.needed(), device, self.folder or outdir, self.world.local_size)


def new_plan(given: Given, weights: Path | None = None, world: World | None = None) -> Plan:
    """Return the plan of a new run.

    Args:
        weights: a checkpoint, or a run for its newest snapshot, to start from. Of `given.file`, which may be the
            config.json of that run, only what suits such a start is taken. Without `data.path`, the new run has the
            data of the run that the weights are from.
        world: the processes that train together. The first of each machine opens the data set before the others.
    Raises: ConfigError, DataError, CheckpointError.
    """
    world = world or World()
    if weights is not None:
        given = replace(given, file=settings_to_take_over(given.file))
    asked = given.all
    _require_text(asked)
    if asked.get("batch") == "auto" and "micro_batch" in {**given.flags, **given.assignments}:
        raise ConfigError(
            "`batch` auto chooses `micro_batch` by itself; leave `micro_batch` out, or give `batch` a number."
        )
    source = weights or asked.get("transfer.source")
    start = open_start(local_path(source)) if source is not None else None
    remarks = []
    if start is not None and asked.get("data.path") is None:
        inherited, remark = _data_of(start.source)
        asked = {**inherited, **asked}
        remarks.append(remark)
    device = resolve_device(asked.get("device", "auto"))
    with world.local_main_first():
        data = _data(asked)
        dataset = open_training_set(data, _seed(asked), world.local_size)
    choice = Choice("fp32")
    if asked.get("precision", "auto") == "auto":
        choice = world.gather(best_precision(device))[0]  # the measurements of machines differ
    config = assemble(
        asked.get("cfg") or default_cfg(dataset.resolution, device.type),
        dataset,
        given,
        data=data,
        start=start,
        processes=world.size,
        precision=choice.precision,
    )
    if "data.path" in asked and not data.labels and (labels := label_summary(dataset)):
        remarks.append(f"The labels of the data, {labels}, are not used; start the run with `data.labels` to use them.")
    if asked.get("batch") == "auto":
        fits = largest_micro_batch(config, device, world.size, world.local_size).micro_batch
        config = changed(config, {"micro_batch": min(world.gather(fits))})
    report = transfer_report(start.checkpoint, config) if start is not None else ""
    reason = choice.reason if config.architecture != "minimal" else ""  # which is always float32
    return Plan(config, dataset, world, report=report, precision_reason=reason, remarks=tuple(remarks))


def resumed_plan(run: Path, changes: Settings | None = None, world: World | None = None) -> Plan:
    """Return the plan to resume `run`, with some of `CHANGEABLE` changed.

    Raises: ConfigError if `run` is not the folder of a run, or for any other change; DataError.
    """
    world, changes = world or World(), dict(changes or {})
    if kept := [name for name in changes if name not in CHANGEABLE]:
        raise ConfigError(f"a resumed run keeps its settings; leave out {', '.join(kept)}, or start a new run.")
    _require_text(changes)
    if not is_run(run):
        raise ConfigError(f"{run} is not the folder of a run, which holds config.json and snapshots.")
    before = read_config(run / "config.json")
    if "data.path" in changes:
        changes["data.path"] = _located(changes["data.path"])
    reason = ""
    if changes.get("precision") == "auto":
        choice = world.gather(best_precision(resolve_device(changes.get("device", before.device))))[0]
        changes["precision"], reason = choice
    config = changed(before, changes)
    with world.local_main_first():
        _restore_embedded(config.data.path, config.generator["img_resolution"])
        dataset = open_training_set(config.data, config.seed, world.local_size)
    return Plan(config, dataset, world, run, precision_reason=reason, remarks=_on_rounding(before, config))


def is_run(folder: Path) -> bool:
    """Return whether this is the folder of a run."""
    return (folder / "snapshots").is_dir() and (folder / "config.json").is_file()


def is_checkpoint(source: Path) -> bool:
    """Return whether these are weights without a run around them."""
    return source.is_file() or ((source / "config.json").is_file() and not (source / "snapshots").is_dir())


def _on_rounding(before: TrainConfig, now: TrainConfig) -> tuple[str, ...]:
    """Return a sentence if settings changed that round the numbers of a resumed run differently."""
    values = [(name, getattr(before, name), getattr(now, name)) for name in CHANGE_ROUNDING]
    changes = ", ".join(f"`{name}` {old} -> {new}" for name, old, new in values if old != new)
    if not changes:
        return ()
    return (f"From here on, the run will not equal one without this change bit for bit: {changes}.",)


def _data_of(checkpoint: Path) -> tuple[Settings, str]:
    """Return the data settings of the run that a checkpoint is from, and a sentence that says so.

    Raises: ConfigError if it is not from a run, or that data does not exist any more.
    """
    places = (checkpoint.resolve(), *checkpoint.resolve().parents[:3])
    run = next((place for place in places if is_run(place)), None)
    if run is None:
        raise ConfigError(f"{checkpoint} does not say which images to train on; name a data set with `data.path`.")
    config = read_config(run / "config.json")
    path, labels = config.data.path, config.data.labels
    if not is_url(path):
        _restore_embedded(path, config.generator["img_resolution"])
        if not Path(path).exists():
            raise ConfigError(
                f"the data set {path}, which {run} was trained on, does not exist any more; name one with `data.path`."
            )
    remark = f"Training on {path}, the data of {run}{', with its labels' * labels}."
    return {"data.path": path, "data.labels": labels}, remark


def _restore_embedded(data: str, resolution: int) -> None:
    """Prepare the embedded faces again if `data` is their place in the cache, which may have been emptied."""
    path = Path(data)
    if path.parent == default_cache() / "data" and not path.exists():
        avatars(resolution)


def _data(asked: dict[str, Any]) -> DataConfig:
    """Return the settings of the data set that was asked for, else of the embedded faces at the preset's resolution."""
    path = asked.get("data.path")
    if path is None:
        cfg = asked.get("cfg")
        path = avatars((PRESETS[cfg].resolution if cfg in PRESETS else None) or 64)
    settings = {name: value for name, value in asked.items() if name.startswith("data.")}
    return data_config({**settings, "data.path": _located(path)})


def _require_text(asked: Settings) -> None:
    """Raise ConfigError for a value of another type among the settings that are read before all are validated."""
    if "data" in asked:
        raise ConfigError(
            f"`data` is a group; give its settings one by one, such as `data.path`, got {asked['data']!r}."
        )
    for name in ("cfg", "device", "data.path", "transfer.source"):
        if not isinstance(asked.get(name), str | Path | None):
            raise ConfigError(f"`{name}` must be text, got {asked[name]!r}.")


def _seed(asked: dict[str, Any]) -> int:
    seed = asked.get("seed", 0)
    if not isinstance(seed, int):
        raise ConfigError(f"`seed` must be a whole number, got {seed!r}.")
    return seed


def _located(data: str | Path) -> str:
    """Return an absolute path, or a URL as it is: a run may be resumed from any folder."""
    return str(data) if is_url(data) else str(local_path(data).resolve())
