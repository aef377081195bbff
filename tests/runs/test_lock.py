"""One process at a time trains in a run folder."""

import errno
import fcntl
import os
import re
import signal

import pytest
from run_cli import run_cli
from tiny_run import tiny_config, tiny_images

from stylegan.errors import OutputError
from stylegan.files.warn_once import warn_once
from stylegan.runs.lock import locked
from stylegan.training.loop import train
from stylegan.training.run import new_run_folder


def test_the_second_process_is_shown_which_one_trains_and_a_killed_one_leaves_the_run_free(tmp_path):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        with locked(tmp_path):
            os.write(writer, b"x")
            signal.pause()
    os.read(reader, 1)
    sentence = rf"{tmp_path} is being trained by process {child} on .*; wait until it ends, or stop it\."
    with pytest.raises(OutputError, match=sentence), locked(tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert (tmp_path / ".lock").exists()
    for _ in range(2):
        with locked(tmp_path):
            pass
        assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_being_trained_is_neither_resumed_nor_changed(tmp_path):
    config = tiny_config(tiny_images(tmp_path / "images"), kimg=0.032)
    run = new_run_folder(tmp_path, config, "images")
    before = (run / "config.json").read_text()
    with locked(run):
        with pytest.raises(OutputError, match="is being trained by process"):
            next(train(config, run))
        result = run_cli("train", "--resume", run, "--kimg", 1)
    assert result.code == 1
    assert re.fullmatch(rf"Error: .* is being trained by process {os.getpid()} on .* stop it\.\n", result.err)
    assert (run / "config.json").read_text() == before
    assert [tick.nimg for tick in train(config, run)] == [32]
    assert not (run / ".lock").exists()


def test_a_lock_that_was_removed_between_opening_and_locking_is_taken_again(tmp_path, monkeypatch):
    flock, calls = fcntl.flock, []

    def removed(file, operation):
        flock(file, operation)
        if not calls:
            calls.append((tmp_path / ".lock").unlink())

    monkeypatch.setattr(fcntl, "flock", removed)
    with locked(tmp_path), pytest.raises(OutputError), locked(tmp_path):
        pass


def test_a_file_system_without_locks_is_no_obstacle(tmp_path, monkeypatch):
    asked = []

    def refuse(*arguments):
        asked.append(arguments)
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    inside = 0
    warn_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="Operation not supported"), locked(tmp_path), locked(tmp_path):
        inside += 1
    assert (inside, len(asked)) == (1, 2)
    with pytest.raises(OSError, match="of the run itself"), locked(tmp_path):
        raise OSError("of the run itself")
    config = tiny_config(tiny_images(tmp_path / "images"), kimg=0.008)
    assert [tick.nimg for tick in train(config, new_run_folder(tmp_path, config, "unlocked"))] == [8]
