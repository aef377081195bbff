"""Snapshots are written beside the training, one at a time, as the state was when they were asked for."""

import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import tiny_config

from stylegan.errors import OutputError
from stylegan.training import snapshot_writer
from stylegan.training.snapshot import capture, write_snapshot
from stylegan.training.snapshot_writer import SnapshotWriter
from stylegan.training.state import TrainingState, create_state


@pytest.fixture
def state() -> TrainingState:
    config = tiny_config(Path("nowhere"), **{"augment.mode": "ada"})
    state = create_state(config, torch.device("cpu"))
    for network, optimizer in ((state.G, state.G_opt), (state.D, state.D_opt)):
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    return state


@pytest.fixture
def slow_disk(monkeypatch):
    """Writes begin, and end when they are let."""
    begun, let = threading.Semaphore(0), threading.Semaphore(0)

    def write(files, folder):
        begun.release()
        assert let.acquire(timeout=60)
        write_snapshot(files, folder)

    monkeypatch.setattr(snapshot_writer, "write_snapshot", write)
    return begun, let


def test_training_continues_while_a_snapshot_of_the_moment_is_written(state, slow_disk, tmp_path):
    begun, let = slow_disk
    write_snapshot(capture(state, origin="", data={}), tmp_path / "at once")
    with SnapshotWriter(tmp_path, "all") as writer:
        writer.begin(capture(state, origin="", data={}), tmp_path / "later")
        assert begun.acquire(timeout=60)
        for network, optimizer in ((state.G, state.G_opt), (state.D, state.D_opt)):
            optimizer.step()
            network.zero_grad()
        state.G_ema.mapping.w_avg.add_(1)
        state.pl_mean += 1
        state.signs += 1
        state.augment.p += 0.1
        let.release()
    files = sorted(p.name for p in (tmp_path / "at once").iterdir())
    assert len(files) == 8
    for name in files:
        assert (tmp_path / "later" / name).read_bytes() == (tmp_path / "at once" / name).read_bytes()
    after = capture(state, origin="", data={}).tensors
    for name, tensors in after.items():
        before = load_file(tmp_path / "later" / name)
        assert any(not torch.equal(before[key], tensors[key]) for key in tensors), f"{name} did not change"


def test_at_most_one_snapshot_is_being_written(state, slow_disk, tmp_path):
    begun, let = slow_disk
    files = capture(state, origin="", data={})
    with SnapshotWriter(tmp_path, "all") as writer:
        writer.begin(files, tmp_path / "1")
        second = threading.Thread(target=writer.begin, args=(files, tmp_path / "2"))
        second.start()
        assert begun.acquire(timeout=60)
        assert not begun.acquire(timeout=0.1), "the second began before the first was done"
        let.release()
        assert begun.acquire(timeout=60)
        assert (tmp_path / "1" / "checksums.json").exists()
        let.release()
        second.join()
    assert (tmp_path / "2" / "checksums.json").exists()


def test_leaving_waits_also_when_training_fails(state, slow_disk, tmp_path):
    _, let = slow_disk
    with pytest.raises(KeyboardInterrupt), SnapshotWriter(tmp_path, "all") as writer:
        writer.begin(capture(state, origin="", data={}), tmp_path / "1")
        let.release()
        raise KeyboardInterrupt
    assert (tmp_path / "1" / "checksums.json").exists()


def test_full_disk_is_a_warning_except_for_the_last_snapshot(monkeypatch, tmp_path):
    def fail(files, folder):
        raise OutputError(f"cannot write {folder.name}: No space left on device; choose another place.")

    monkeypatch.setattr(snapshot_writer, "write_snapshot", fail)
    files = None
    message = "cannot write 000001: .* Training continues; the older snapshots are whole."
    with pytest.warns(RuntimeWarning, match=message), SnapshotWriter(tmp_path, 3) as writer:
        writer.begin(files, tmp_path / "000001")
    with SnapshotWriter(tmp_path, 3) as writer, pytest.raises(OutputError, match="cannot write 000002"):
        writer.write_last(files, tmp_path / "000002")
