"""Fixtures of all tests: seeds, and one thread per worker."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # xdist runs one worker a core, and some start processes

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # so that tests can import golden.py and reference.py


@pytest.fixture(autouse=True)
def _seeded():
    torch.set_num_threads(1)  # xdist runs one worker a core
    torch.manual_seed(0)
