"""A run that is resumed in another environment warns that its results change in the last digits."""

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


def test_snapshot_records_versions_threads_and_instructions(tmp_path):
    state = create_state(tiny_config(Path("nowhere")), torch.device("cpu"))
    write_snapshot(capture(state, origin="", data={}), tmp_path / "x")
    recorded = json.loads((tmp_path / "x" / "training.json").read_text())["environment"]
    assert recorded == HERE
    assert (recorded["threads"], recorded["torch"], recorded["python"]) == (
        1,
        torch.__version__,
        platform.python_version(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_snapshot(state, tmp_path / "x")
    torch.set_num_threads(2)  # the fixture of all tests sets it back
    with pytest.warns(RuntimeWarning, match="will not equal .* bit for bit: number of threads 1 -> 2\\."):
        load_snapshot(state, tmp_path / "x")


def test_one_warning_names_all_changes_that_affect_results_and_no_other():
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
