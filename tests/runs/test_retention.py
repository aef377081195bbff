"""The newest snapshots can be resumed, the older ones draw, and nothing is lost at any moment."""

from pathlib import Path

import pytest
import torch
from tiny_run import tiny_config

from stylegan.checkpoints import load_checkpoint
from stylegan.checkpoints.layout import TRAINING_FILES
from stylegan.checkpoints.snapshots import damage, keeps_training, newest_snapshot, snapshots
from stylegan.runs import retention
from stylegan.runs.retention import drop_training_state
from stylegan.training.snapshot import capture, write_snapshot
from stylegan.training.state import create_state


@pytest.fixture
def run(tmp_path) -> Path:
    """Four snapshots."""
    files = capture(create_state(tiny_config(tmp_path), torch.device("cpu")), origin="a test", data={})
    for kimg in (8, 9, 10, 100):
        write_snapshot(files, tmp_path / "snapshots" / f"{kimg:06d}")
    return tmp_path


def resumable(run: Path) -> list[int]:
    return sorted(int(p.name) for p in (run / "snapshots").iterdir() if keeps_training(p))


def test_older_snapshots_keep_the_network_to_draw_with(run):
    drop_training_state(run, run / "snapshots" / "000100", 2)
    assert resumable(run) == [10, 100]
    older = run / "snapshots" / "000008"
    assert {p.name for p in older.iterdir()} == {
        "config.json",
        "README.md",
        "generator_ema.safetensors",
        "checksums.json",
    }
    assert damage(older) is None
    checkpoint = load_checkpoint(older)
    assert (checkpoint.origin, checkpoint.G, checkpoint.D) == ("a test", None, None)
    assert torch.equal(checkpoint.G_ema.mapping.w_avg, load_checkpoint(run).G_ema.mapping.w_avg)


def test_keeping_more_later_brings_nothing_back_and_loses_nothing(run):
    for keep, left in ((3, [9, 10, 100]), (1, [100]), (4, [100])):
        drop_training_state(run, run / "snapshots" / "000100", keep)
        assert resumable(run) == left


def test_the_first_snapshot_from_each_milestone_on_can_be_resumed_for_good(run):
    files = capture(create_state(tiny_config(run), torch.device("cpu")), origin="a test", data={})
    for kimg in (180, 205, 210, 300):
        write_snapshot(files, run / "snapshots" / f"{kimg:06d}")
    drop_training_state(run, run / "snapshots" / "000300", 2, milestone_kimg=100)
    assert resumable(run) == [100, 205, 210, 300]


def test_snapshots_within_one_kimg_are_ordered_by_what_follows(run):
    files = capture(create_state(tiny_config(run), torch.device("cpu")), origin="a test", data={})
    for name in ("000010.064", "000010.128"):
        write_snapshot(files, run / "snapshots" / name)
    assert [p.name for p in snapshots(run)] == ["000100", "000010.128", "000010.064", "000010", "000009", "000008"]
    drop_training_state(run, run / "snapshots" / "000010.064", 1, milestone_kimg=10)
    names = {p.name for p in snapshots(run) if keeps_training(p)}
    assert names == {"000100", "000010.128", "000010.064", "000010"}  # 000010 is a milestone


def test_snapshots_beyond_the_one_just_written_count_for_nothing(run):
    """000100 is damaged, and the run went back to 000009 and on to 000010."""
    (run / "snapshots" / "000100" / "config.json").unlink()
    drop_training_state(run, run / "snapshots" / "000010", 1)
    assert resumable(run) == [10, 100]
    with pytest.warns(RuntimeWarning, match="000100 is skipped: config.json is missing; going back to 000010"):
        assert newest_snapshot(run, to_resume=True).name == "000010"


def test_damaged_snapshot_is_not_made_to_pass_for_whole(run):
    (run / "snapshots" / "000008" / "generator_ema.safetensors").write_bytes(b"x")
    drop_training_state(run, run / "snapshots" / "000100", 1)
    assert resumable(run) == [8, 100]
    assert damage(run / "snapshots" / "000008").startswith("generator_ema.safetensors has 1 bytes instead of")


@pytest.mark.parametrize("removed", range(len(TRAINING_FILES)))
def test_interrupted_tidying_is_finished_next_time(run, monkeypatch, removed):
    older, unlink, calls = run / "snapshots" / "000010", Path.unlink, []

    def stop(path, **options):
        if path.name in TRAINING_FILES:
            calls.append(path)
            if len(calls) > removed:
                raise KeyboardInterrupt
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            drop_training_state(run, run / "snapshots" / "000100", 1)
    assert damage(older) is None
    assert not keeps_training(older)
    drop_training_state(run, run / "snapshots" / "000100", 1)
    assert resumable(run) == [100]
    assert not any((older / name).exists() for name in TRAINING_FILES)


def test_disk_that_refuses_is_a_warning(run, monkeypatch):
    def fail(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(retention, "write_text", fail)
    message = "000010 keeps its state of training: Input/output error; remove what you do not need"
    with pytest.warns(RuntimeWarning, match=message):
        drop_training_state(run, run / "snapshots" / "000100", 1)
    assert resumable(run) == [8, 9, 10, 100]


def test_only_networks_to_draw_with_cannot_be_resumed(run):
    from stylegan.errors import CheckpointError

    drop_training_state(run, run / "snapshots" / "000100", 1)
    (run / "snapshots" / "000100").rename(run / "elsewhere")
    with pytest.raises(CheckpointError, match="can be resumed: 000010 .keeps only the network to draw with., 000009"):
        newest_snapshot(run, to_resume=True)
    assert newest_snapshot(run).name == "000010"
