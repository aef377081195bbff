"""A run as an object: a folder, and the training in it, which advances while the run is iterated.

for tick in stylegan.train("faces64.zip", kimg=200):
    print(tick)
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from stylegan.checkpoints.snapshots import newest_snapshot, nimg_of
from stylegan.data.dataset import Dataset
from stylegan.data.pixels import Track, untracked
from stylegan.files.atomic import write_text
from stylegan.files.counted import counted
from stylegan.files.paths import local_path
from stylegan.machine.memory import keep_freed_memory
from stylegan.machine.processes import World
from stylegan.runs.best_effort import BestEffort
from stylegan.runs.folder import make_run_folder, repair_interrupted_writes
from stylegan.runs.lock import locked
from stylegan.runs.tensorboard import summary_writer, with_tensorboard
from stylegan.runs.tick import Tick
from stylegan.training import loop
from stylegan.training.assemble import Given, dotted
from stylegan.training.batches import open_training_set
from stylegan.training.compiling import faster_form
from stylegan.training.config import TrainConfig, read_config
from stylegan.training.failures import in_one_sentence
from stylegan.training.plan import Plan, is_checkpoint, new_plan, resumed_plan
from stylegan.training.scores import load_detectors


class Run:
    """A run that trains while it is iterated, and yields a `Tick` every `config.tick_kimg` and one at the end.

    Leaving the iteration ends the training at once; `stop` ends it after the step, with a snapshot. A second iteration
    continues from the newest snapshot. The run holds the lock of its folder while it is iterated.

    Attributes:
        config, dataset, world: the settings, the images, and the processes that train together.
        folder: the folder of the run.
        headline: lines for the reader: new or resumed, images, main settings. Empty but on rank 0.
    """

    def __init__(self, plan: Plan, folder: Path, *, tensorboard: bool = False):
        self.config, self.dataset, self.world, self.folder = plan.config, plan.dataset, plan.world, folder
        self._tensorboard = tensorboard and self.world.is_main
        self._stop = threading.Event()
        self._best_effort = BestEffort()
        self._snapshot: Path | None = None  # the newest, until it is loaded
        self._resumed = plan.folder is not None
        self._unlogged: list[str] = []
        self.headline = ""
        if self.world.is_main:
            self._snapshot = self._find_snapshot(plan)
            self.headline = self._describe(plan)
            self._unlogged.append(self.headline)

    def stop(self) -> None:
        """End the iteration after the current step, with a snapshot. May be called from any thread or signal handler.

        Of several processes it is enough that one calls it.
        """
        self._stop.set()

    def __iter__(self) -> Iterator[Tick]:
        """Train, see `stylegan.training.loop.train`. Raises: OutputError also if the device runs out of memory."""
        with in_one_sentence(self.folder):
            self._settle_compile()
        ticks = loop.train(
            self.config,
            self.folder,
            dataset=self.dataset,
            snapshot=self._snapshot,
            stop=self._stop,
            world=self.world,
            accepted=self._record,
        )
        self._snapshot = None
        with in_one_sentence(self.folder), closing(ticks):
            try:
                for tick in with_tensorboard(ticks, self.folder) if self._tensorboard else ticks:
                    if self.world.is_main:
                        self._log(str(tick))
                    yield tick
            finally:
                self._stop.clear()

    def _find_snapshot(self, plan: Plan) -> Path | None:
        """Return the snapshot to resume from. What a crash left is repaired first; nothing else is written."""
        with locked(self.folder):
            repair_interrupted_writes(self.folder)
        return plan.snapshot_to_resume() if self._resumed else newest_snapshot(self.folder, to_resume=True)

    def _record(self) -> None:
        """Write the settings and the headline: every check has passed, and the loop is about to write too."""
        write_text(self.folder / "config.json", self.config.to_json())
        for line in self._unlogged:
            self._log(line)
        self._unlogged.clear()

    def _settle_compile(self) -> None:
        """Replace `compile` auto by the form that is faster on rank 0."""
        if self.config.compile != "auto":
            return
        config_file, world = self.folder / "config.json", self.world
        # A launcher that restarts the processes of a new run repeats their settings, so the recorded choice counts.
        recorded = world.gather(read_config(config_file).compile if world.is_main else None)[0]
        if recorded != "auto" and not self._resumed:
            self.config = self.config.model_copy(update={"compile": recorded})
            return
        with world.all_or_none():
            choice = faster_form(self.config, world)
        choice = world.gather(choice)[0]  # the measurements of machines differ
        self.config = self.config.model_copy(update={"compile": choice.compile})
        if world.is_main:
            self._unlogged.append(choice.reason)
            if not choice.compile:
                warnings.warn(choice.reason, RuntimeWarning, stacklevel=3)

    def _describe(self, plan: Plan) -> str:
        config, data, newest = self.config, self.dataset, self._snapshot
        if plan.folder is not None or newest is not None:  # a launcher may start the processes of a new run again
            point = "the start" if newest is None else f"{(nimg_of(newest) or 0) / 1000:.9g} kimg"
            first = f"Resuming {self.folder} from {point}"
        elif plan.report:
            first = f"New run in {self.folder} from the weights of {config.transfer.source}\n{plan.report}"
        else:
            first = f"New run in {self.folder}"
        first = "\n".join([first, *plan.remarks])
        precision = config.precision + (f" ({plan.precision_reason})" if plan.precision_reason else "")
        size = f"{data.resolution}x{data.resolution}, {data.channels} channel{'s' * (data.channels > 1)}"
        return (
            f"{first}\n{counted(len(data), 'image')} of {size}; cfg {config.cfg}"
            f"{', projected discriminator' * (config.discriminator_kind == 'projected')}, batch {config.batch}, "
            f"gamma {config.r1_gamma:g}, {precision}, {config.kimg:g} kimg."
        )

    def _log(self, line: str) -> None:
        with self._best_effort("log.txt"), (self.folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def train(
    data: Path | str | None = None,
    outdir: Path | str = "runs",
    *,
    cfg: str | None = None,
    resume: Path | str | None = None,
    world: World | None = None,
    **settings: Any,
) -> Run:
    """Return a run that trains while it is iterated.

    >>> run = stylegan.train("faces64.zip", cfg="stylegan3-t-cpu64", kimg=200, generator={"w_dim": 128})
    >>> for tick in run:
    ...     print(tick)  # `tick.grid` is an image of what the network draws; `run.stop()` ends with a snapshot
    >>> G = stylegan.load(run.folder)

    Args:
        data: a data set of square images, [channels, resolution, resolution], from `stylegan.prepare`: a zip, a folder
            or the URL of shards. None takes the embedded faces, or the data of the run to resume or to start from.
        outdir: where to make the folder of a new run.
        cfg: a preset; None takes one that suits the resolution and the device.
        resume: the folder of a run, to resume it; or a checkpoint, for a new run from its weights.
        world: the processes that train together, see `stylegan.machine.processes.join`.
        settings: fields of `TrainConfig`; "auto" for `batch`, `precision`, `r1_gamma` and others that follow the batch.
    Raises: ConfigError for an impossible setting, or if memory or disk are too small; DataError, CheckpointError;
        OutputError if `outdir` cannot be written.
    """
    changes = dotted(settings) | ({"data.path": data} if data is not None else {})
    source = local_path(resume) if resume is not None else None
    if source is not None and not is_checkpoint(source):
        return begin(resumed_plan(source, changes | ({"cfg": cfg} if cfg else {}), world))
    given = Given(assignments=changes | ({"cfg": cfg} if cfg else {}))
    return begin(new_plan(given, source, world), outdir)


def start(
    config: TrainConfig,
    outdir: Path | str = "runs",
    *,
    dataset: Dataset | None = None,
    world: World | None = None,
    tensorboard: bool = False,
    force: bool = False,
) -> Run:
    """Return a new run with these settings in a new folder in `outdir`. See `begin`."""
    world = world or World()
    plan = Plan(config, dataset or open_training_set(config.data, config.seed, world.local_size), world)
    return begin(plan, outdir, tensorboard=tensorboard, force=force)


def resume(
    folder: Path | str,
    changes: Mapping[str, Any] | None = None,
    *,
    world: World | None = None,
    tensorboard: bool = False,
    force: bool = False,
) -> Run:
    """Return the run of this folder, which resumes from its newest snapshot; `changes` may name `plan.CHANGEABLE`.

    See `begin`.
    """
    return begin(resumed_plan(local_path(folder), changes, world), tensorboard=tensorboard, force=force)


def begin(
    plan: Plan,
    outdir: Path | str = "runs",
    *,
    tensorboard: bool = False,
    force: bool = False,
    desc: str = "",
    track: Track = untracked,
) -> Run:
    """Check that a run can start, and make its folder. Every process of `plan.world` calls it.

    Nothing is written into a run before the last check has passed; the last ones are made when the run is iterated.

    Args:
        outdir: where to make the folder of a new run.
        tensorboard: also write scalars and image grids for TensorBoard.
        force: start even if memory or disk look too small.
        desc: words that the name of the folder of a new run ends in.
        track: shows the progress of decoding the images into the cache, see `Dataset.fill_cache`.
    Raises: ConfigError if memory or disk are too small, or the run to resume is finished; DataError for a damaged
        image; MissingExtra if a package or the weights of a metric are not installed; OutputError if the folder cannot
        be written, or another process trains in it.
    """
    outdir = local_path(outdir)
    if not force:
        plan.require_room(outdir)
    plan.fill_cache(track)
    if tensorboard:
        summary_writer()
    load_detectors(plan.config)
    keep_freed_memory()
    folder = plan.folder or Path(
        plan.world.run_once("run", lambda: str(new_run_folder(outdir, plan.config, plan.dataset.name, desc)))
    )
    with in_one_sentence(folder):
        return Run(plan, folder, tensorboard=tensorboard)


def new_run_folder(parent: Path | str, config: TrainConfig, name: str, desc: str = "") -> Path:
    """Make the folder of a run with this configuration, see `make_run_folder`."""
    return make_run_folder(parent, config.info, name, config.to_json(), desc)
