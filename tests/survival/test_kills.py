"""SIGKILL at any moment: a resumed run ends with exactly the numbers of one that was never killed."""

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from killed_run import train_in_process
from small_run import BATCH, folder_digest, small_config, small_images, ticks_of

from stylegan.checkpoints.snapshots import damage

STEPS, TICK = 8, 2
KILLS = 20  # at random moments, and as many at named calls of a save


@pytest.fixture(scope="module")
def run_process():
    """Train in a process forked from a server that has imported PyTorch once; returns the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        here = Path(__file__).parent
        patch.setenv("PYTHONPATH", os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")]))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["killed_run"])

        def run_process(*arguments, **options) -> int:
            process = context.Process(target=train_in_process, args=arguments, kwargs=options)
            process.start()
            process.join()
            return process.exitcode

        yield run_process


@pytest.fixture(scope="module")
def whole(run_process, tmp_path_factory) -> Path:
    """Return a run that is never killed; a file beside it lists the calls of its saves and its processor time."""
    home = tmp_path_factory.mktemp("kills")
    config = small_config(small_images(home / "images"), steps=STEPS, tick=TICK, keep_snapshots=2)
    run = home / "whole"
    (run / "snapshots").mkdir(parents=True)
    (run / "config.json").write_text(config.to_json())
    assert run_process(run, log=home / "log") == 0
    return run


def _copy(run: Path, name: Path) -> Path:
    """Return a run with the same settings that has not started."""
    (name / "snapshots").mkdir(parents=True)
    shutil.copy(run / "config.json", name)
    return name


def assert_same_end(run_process, run: Path, whole: Path, **options) -> None:
    """Resume, then compare all files of the last snapshot, the whole curve, and which snapshots can be resumed."""
    assert run_process(run, **options) == 0
    for snapshot in (run / "snapshots").iterdir():
        assert damage(snapshot) is None
    names = sorted(p.name for p in (whole / "snapshots").iterdir())
    assert sorted(p.name for p in (run / "snapshots").iterdir()) == names
    assert folder_digest(run / "snapshots" / names[-1]) == folder_digest(whole / "snapshots" / names[-1])
    kept = [name for name in names if (run / "snapshots" / name / "training.json").exists()]
    assert kept == names[-2:]
    assert ticks_of(run) == ticks_of(whole) == list(range(TICK * BATCH, STEPS * BATCH + 1, TICK * BATCH))


def test_run_killed_at_random_moments_ends_the_same(run_process, whole, tmp_path):
    random = np.random.RandomState(0)
    seconds = float((whole.parent / "log").read_text().splitlines()[-1])
    killed = 0
    while killed < KILLS:
        run = _copy(whole, tmp_path / f"{killed}-{random.randint(2**31)}")
        if run_process(run, die_after=seconds * random.uniform(0.05, 0.9)) == -signal.SIGKILL:  # else it was quicker
            assert_same_end(run_process, run, whole)
            killed += 1
    print(f"{killed} runs killed at random moments end like the one that was not killed")


def test_run_killed_within_a_save_ends_the_same(run_process, whole, tmp_path):
    calls = [line.split(" ", 1) for line in (whole.parent / "log").read_text().splitlines()[:-1]]
    last = str(STEPS // TICK - 1)
    # the third save is written beside the training and reduces the first snapshot; the last one is waited for
    points = [(int(save), point) for save, point in calls if save in ("2", last)]
    assert {"unlink", "replace", "mkdir", "fsync", "write", "half"} == {point.split()[0] for _, point in points}
    chosen = [points[round(i * (len(points) - 1) / (KILLS - 1))] for i in range(KILLS)]
    killed = 0
    for i, point in enumerate(chosen):
        run = _copy(whole, tmp_path / str(i))
        assert run_process(run, die_at=point) == -signal.SIGKILL, point
        assert_same_end(run_process, run, whole)
        killed += 1
    print(f"{killed} of {len(points)} calls of two saves: runs killed there end like the one that was not killed")
    assert killed >= 20


def test_run_killed_while_a_snapshot_takes_the_place_of_another_ends_the_same(run_process, whole, tmp_path):
    replaced = _copy(whole, tmp_path / "whole")
    assert run_process(replaced, log=tmp_path / "log", one_folder=True) == 0
    points = [line.removeprefix("1 ") for line in (tmp_path / "log").read_text().splitlines() if line.startswith("1 ")]
    renames = [point for point in points if point.startswith("replace") and "000000" in point]
    assert len(renames) >= 2  # the old one goes aside, the new one comes
    for i, point in enumerate([*renames, points[-1]]):
        run = _copy(whole, tmp_path / str(i))
        assert run_process(run, die_at=(1, point), one_folder=True) == -signal.SIGKILL, point
        assert_same_end(run_process, run, replaced, one_folder=True)
