"""Setup that `launch.py` imports once, before it forks the processes, which would otherwise repeat it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from tiny_run import tiny_config

from stylegan.training.state import create_state

for late in ("torch._dynamo", "stylegan.cli.train", "stylegan.training.replicas"):  # the optimizers load the first
    import_module(late)
torch.set_num_threads(1)
create_state(tiny_config(Path("unused")), torch.device("cpu"))
