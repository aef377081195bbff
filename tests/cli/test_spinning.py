"""The command line sets how long threads spin before PyTorch is loaded, unless the user did."""

import os
import subprocess
import sys

import pytest

from stylegan.cli.main import _spin_less


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_threads_spin_less_unless_the_user_decided(monkeypatch, before, after):
    monkeypatch.setattr(os, "environ", dict(before))
    _spin_less()
    assert os.environ.get("GOMP_SPINCOUNT") == after


def test_torch_is_not_loaded_before():
    code = "import sys, stylegan.cli.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
