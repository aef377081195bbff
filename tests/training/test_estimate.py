"""The needs of a run are estimated before it starts, and one that cannot fit is refused with the difference."""

import shutil
from collections import namedtuple
from dataclasses import replace

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
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(0, 0, int(5e9)))
    with pytest.raises(ConfigError, match=r"about 5\.5 GB \(7 snapshots\), 500 MB more than is free at "):
        require_room(NEEDED, CPU, tmp_path / "not" / "there")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(0, 0, int(5.5e9)))
    require_room(NEEDED, CPU, tmp_path)


def test_a_cache_that_cannot_hold_the_decoded_images_is_refused_with_the_difference(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "not" / "there"))
    monkeypatch.setattr(module, "available_bytes", lambda *_: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(0, 0, int(8e9)))
    require_room(replace(NEEDED, cache=int(2.4e9)), CPU, tmp_path)
    needed = replace(NEEDED, cache=int(3e9))  # beside the 5.5 GB of the run on the same disk
    message = rf"images take about 3\.0 GB of cache, 500 MB more than will be free at {tmp_path}; set STYLEGAN_CACHE"
    with pytest.raises(ConfigError, match=message):
        require_room(needed, CPU, tmp_path)
    assert "About 3.0 GB of cache for the decoded images." in str(needed)


def test_auto_batch_computes_as_many_at_once_as_fit(monkeypatch):
    config = tiny_config("unused", batch=32)
    for free, expected in ((None, 32), (estimate(tiny_config("unused", batch=16)).memory, 16)):
        monkeypatch.setattr(module, "available_bytes", lambda device, processes, free=free: free)
        found = largest_micro_batch(config, CPU)
        assert (found.batch, found.micro_batch) == (32, expected)
    monkeypatch.setattr(module, "available_bytes", lambda device, processes: 1000)
    with pytest.raises(ConfigError, match="not even 4 images at once fit into the 0 MB free on cpu"):
        largest_micro_batch(config, CPU)


@pytest.mark.parametrize(("batch", "group", "processes"), [(24, 4, 1), (24, 4, 2), (60, 4, 1), (48, 8, 1), (36, 6, 3)])
@pytest.mark.parametrize("room", [1, 4, 6, 8, 11, 20, 100])
def test_auto_batch_is_the_largest_part_that_fits_and_holds_whole_groups(monkeypatch, batch, group, processes, room):
    config = tiny_config("unused", batch=batch, **{"discriminator.mbstd_group_size": group})
    monkeypatch.setattr(module, "available_bytes", lambda device, processes: room)
    monkeypatch.setattr(module, "estimate", lambda config: replace(NEEDED, step=config.micro_batch))
    monkeypatch.setattr(Estimate, "memory", property(lambda needed: needed.step))
    share = batch // processes
    fitting = [n for n in range(1, room + 1) if share % n == 0 and n % group == 0]
    if fitting:
        assert largest_micro_batch(config, CPU, processes).micro_batch == max(fitting)
    else:
        with pytest.raises(ConfigError, match=f"not even {group} images at once fit into"):
            largest_micro_batch(config, CPU, processes)
