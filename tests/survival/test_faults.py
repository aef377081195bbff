"""A disk that is full or fails at any call of a save costs that snapshot and a warning, never the run."""

import errno
import resource
import warnings
from pathlib import Path
from unittest import mock

import pytest
from file_size_limit import file_size_limit
from save_calls import hooked
from small_run import BATCH, folder_digest, small_config, small_images, ticks_of, train_small

from stylegan.checkpoints.snapshots import damage
from stylegan.errors import OutputError
from stylegan.training import snapshot_writer
from stylegan.training.snapshot_writer import SnapshotWriter

STEPS = 3  # each with a snapshot; the second meets the fault
FIRST, SECOND, THIRD = (f"{BATCH * i:06d}" for i in (1, 2, 3))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return small_config(small_images(tmp_path_factory.mktemp("images")), steps=STEPS, keep_snapshots=1)


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """Return a run without a fault, and the calls of its second save."""
    run, calls = tmp_path_factory.mktemp("whole"), []
    with hooked(lambda save, point: calls.append(point) if save == 1 else None):
        train_small(config, run)
    return run, calls


def warnings_of(config, run: Path, hook) -> list[str]:
    with warnings.catch_warnings(record=True) as caught, hooked(hook):
        warnings.simplefilter("always")
        train_small(config, run)
    return [str(w.message) for w in caught]


def assert_third_is_whole(run: Path, whole: Path) -> None:
    assert folder_digest(run / "snapshots" / THIRD) == folder_digest(whole / "snapshots" / THIRD)
    assert ticks_of(run) == [BATCH, 2 * BATCH, 3 * BATCH]
    assert not list(run.glob("snapshots/.*")), "leftovers"


def test_any_call_of_a_save_may_fail(config, whole, tmp_path):
    reference, calls = whole
    errors = {errno.ENOSPC: "No space left on device", errno.EIO: "Input/output error"}
    cells = {"no space": 0, "I/O error": 0, "short write": 0}
    for number, call in enumerate(calls):
        for code, text in errors.items():
            run = tmp_path / f"{number}-{code}"
            state_at_fault = []

            def hook(save, point):
                if (save, point) == (1, call):
                    state_at_fault.append(damage(run / "snapshots" / FIRST))
                    raise OSError(code, text)

            messages = warnings_of(config, run, hook)
            assert_third_is_whole(run, reference)
            assert state_at_fault == [None], call
            assert damage(run / "snapshots" / FIRST) is None, call
            written = (run / "snapshots" / SECOND).exists()
            if call in TIDYING:
                assert messages == []
                assert written
            else:
                assert len(messages) == 1, call
                assert text in messages[0]
                assert SECOND in messages[0] or FIRST in messages[0]
                assert written == (calls.index(call) > calls.index(f"replace {SECOND}")), call
            if written:
                assert damage(run / "snapshots" / SECOND) is None
            cells[
                "short write" if call.startswith("half") else "no space" if code == errno.ENOSPC else "I/O error"
            ] += 1
    print(f"{sum(cells.values())} faults in {len(calls)} calls of a save, and training continued: {cells}")
    assert min(cells["no space"], cells["I/O error"]) >= 25
    assert cells["short write"] >= 16


# atomic_file removes its temporary file, which was renamed, if it is still there
TIDYING = ["unlink .checksums.PID.tmp.json"]


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.99])
def test_file_that_the_system_cuts_short_is_no_snapshot(config, whole, tmp_path, share):
    """Limit of the kernel: bytes beyond this share of the largest file are not written."""
    most = max(p.stat().st_size for p in (whole[0] / "snapshots" / THIRD).iterdir())
    begin, write = SnapshotWriter.begin, snapshot_writer.write_snapshot

    def begin_and_wait(writer, *arguments):  # the limit is one of the whole process
        begin(writer, *arguments)
        writer.wait()

    def write_limited(files, folder):
        with file_size_limit(int(most * share) if folder.name == SECOND else resource.RLIM_INFINITY):
            write(files, folder)

    with (
        mock.patch.object(SnapshotWriter, "begin", begin_and_wait),
        mock.patch.object(snapshot_writer, "write_snapshot", write_limited),
    ):
        messages = warnings_of(config, tmp_path, lambda save, point: None)
    assert len(messages) == 1
    assert "File too large" in messages[0]
    assert "Training continues; the older snapshots are whole." in messages[0]
    assert_third_is_whole(tmp_path, whole[0])


def test_statistics_and_grids_that_cannot_be_written_are_reported_once_each(config, whole, tmp_path):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        mock.patch("stylegan.runs.tracking.append_line", fail),
        mock.patch("stylegan.training.snapshot_grid.SnapshotGrid.write_fakes", fail_after_the_first(fail)),
    ):
        messages = warnings_of(config, tmp_path, lambda save, point: None)
    rest = "could not be written (No space left on device); training continues (reported once)."
    assert messages == [f"stats.jsonl {rest}", f"the image grid {rest}"]
    assert folder_digest(tmp_path / "snapshots" / THIRD) == folder_digest(whole[0] / "snapshots" / THIRD)


def fail_after_the_first(fail):
    calls = []

    def write(grid, path, G):
        calls.append(path)
        return path if len(calls) == 1 else fail()

    return write


@pytest.mark.parametrize("failures", [1, 2])
def test_last_save_is_tried_twice(config, whole, tmp_path, failures):
    attempts = []

    def hook(save, point):
        if point == f"mkdir .{THIRD}.PID.tmp":
            attempts.append(save)
            if len(attempts) <= failures:
                raise OSError(errno.EIO, "Input/output error")

    if failures == 1:
        assert warnings_of(config, tmp_path, hook) == []
        assert_third_is_whole(tmp_path, whole[0])
    else:
        with pytest.raises(OutputError, match=f"cannot write .*{THIRD}: Input/output error; choose another place"):
            warnings_of(config, tmp_path, hook)
        assert damage(tmp_path / "snapshots" / SECOND) is None
    assert len(attempts) == 2


def test_mistake_in_the_writer_is_no_fault_of_the_disk(config, tmp_path):
    with (
        mock.patch.object(snapshot_writer, "write_snapshot", side_effect=ZeroDivisionError("a bug")),
        pytest.raises(ZeroDivisionError, match="a bug"),
    ):
        train_small(config, tmp_path)
