"""What a run needs is told before it starts, and what cannot fit is refused with the difference."""

from collections import namedtuple

import pytest
import torch
from tiny_run import tiny_config

from stylegan.errors import ConfigError
from stylegan.training import estimate as module
from stylegan.training.estimate import Estimate, estimate, largest_micro_batch, require_room
from stylegan.training.state import create_state

CPU = torch.device("cpu")
NEEDED = Estimate(
    weights=0, moments=0, step=int(3e9), snapshot=int(1e9), snapshots=3, drawing=int(5e8), drawings=4, grids=0
)
Disk = namedtuple("Disk", "total used free")


def test_weights_and_moments_are_those_of_the_state():
    config = tiny_config("unused")
    state = create_state(config, CPU)
    networks = (state.G, state.D, state.G_ema)
    needed = estimate(config)
    assert needed.weights == sum(t.nbytes for network in networks for t in network.state_dict().values())
    assert needed.moments == 2 * sum(p.nbytes for network in (state.G, state.D) for p in network.parameters())


def test_a_step_grows_with_the_micro_batch_and_shrinks_with_precision():
    steps = {
        name: estimate(tiny_config("unused", **changes)).step
        for name, changes in {
            "plain": {},
            "twice": {"batch": 16},
            "accumulated": {"batch": 16, "micro_batch": 8},
            "bf16": {"precision": "bf16"},
        }.items()
    }
    assert 1.5 * steps["plain"] < steps["twice"] < 2.2 * steps["plain"]
    assert steps["accumulated"] == steps["plain"]
    assert steps["bf16"] < steps["plain"]


def test_snapshots_are_those_still_to_be_written():
    config = tiny_config("unused", kimg=1, tick_kimg=0.1, snap_ticks=2)
    counts = [(e.snapshots, e.drawings) for e in (estimate(config, nimg) for nimg in (0, 500, 2000))]
    assert counts == [(3, 2), (3, 0), (0, 0)]
    assert estimate(config.model_copy(update={"keep_snapshots": "all"})).snapshots == 5


def test_measuring_draws_nothing_from_the_random_numbers():
    before = torch.get_rng_state()
    estimate(tiny_config("unused", seed=3, pl_weight=1.0))
    assert torch.equal(before, torch.get_rng_state())


def test_what_cannot_fit_is_refused_with_the_difference(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "available_bytes", lambda device, processes: int(2e9))
    with pytest.raises(ConfigError, match=r"needs about 4\.3 GB of memory, 2\.4 GB more than is free on cpu; use a sm"):
        require_room(NEEDED, CPU, tmp_path)
    monkeypatch.setattr(module, "available_bytes", lambda device, processes: None)
    # seven snapshots, and the one that is thinned out only after the last is written
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: Disk(0, 0, int(5e9)))
    with pytest.raises(ConfigError, match=r"about 5\.5 GB \(7 snapshots\), 500 MB more than is free at "):
        require_room(NEEDED, CPU, tmp_path / "not" / "there")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: Disk(0, 0, int(5.5e9)))
    require_room(NEEDED, CPU, tmp_path)


def test_auto_batch_computes_as_many_at_once_as_fit(monkeypatch):
    config = tiny_config("unused", batch=32)
    for free, expected in ((None, 32), (estimate(tiny_config("unused", batch=16)).memory, 16)):
        monkeypatch.setattr(module, "available_bytes", lambda device, processes, free=free: free)
        found = largest_micro_batch(config, CPU)
        assert (found.batch, found.micro_batch) == (32, expected)
    monkeypatch.setattr(module, "available_bytes", lambda device, processes: 1000)
    with pytest.raises(ConfigError, match="not even 4 images at once fit into the 0 MB free on cpu"):
        largest_micro_batch(config, CPU)
