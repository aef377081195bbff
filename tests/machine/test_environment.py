"""A run that goes on elsewhere says that it will not be the same to the last bit."""

import json
import platform
import warnings
from pathlib import Path

import pytest
import torch
from tiny_run import tiny_config

from stylegan.machine.environment import environment, warn_if_changed
from stylegan.training.snapshot import capture, load_snapshot, write_snapshot
from stylegan.training.state import create_state

HERE = environment(torch.device("cpu"))


def test_snapshot_tells_versions_threads_and_instructions(tmp_path):
    state = create_state(tiny_config(Path("nowhere")), torch.device("cpu"))
    write_snapshot(capture(state, origin="", data={}), tmp_path / "x")
    told = json.loads((tmp_path / "x" / "training.json").read_text())["environment"]
    assert told == HERE
    assert (told["threads"], told["torch"], told["python"]) == (1, torch.__version__, platform.python_version())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_snapshot(state, tmp_path / "x")
    torch.set_num_threads(2)  # the fixture of all tests sets it back
    with pytest.warns(RuntimeWarning, match="not bit for bit as .* without the stop: number of threads 1 -> 2\\."):
        load_snapshot(state, tmp_path / "x")


def test_changes_are_told_in_one_warning_and_only_those_that_matter():
    before = {**HERE, "threads": 64, "torch": "1.0", "python": "3.4"}
    with pytest.warns(RuntimeWarning) as caught:
        warn_if_changed(before, HERE)
    (warning,) = caught
    assert f"PyTorch 1.0 -> {torch.__version__}, number of threads 64 -> {HERE['threads']}." in str(warning.message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_changed({**HERE, "python": "3.4"}, HERE)
        gpu = {**HERE, "device": "a GPU"}
        warn_if_changed({**gpu, "threads": 64, "cpu": "NO AVX"}, gpu)
