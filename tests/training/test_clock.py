"""Time of a tick, by a clock whose readings are known."""

from types import SimpleNamespace

import pytest
import torch

from stylegan.training import clock
from stylegan.training.clock import Clock


def test_times_of_a_tick_are_those_since_the_maintenance_before(monkeypatch):
    config = SimpleNamespace(tick_kimg=0.5, kimg=8)
    state = SimpleNamespace(nimg=1500, device=torch.device("cpu"))
    readings = iter([100.0, 101.0, 106.0, 108.0, 111.0])  # start, begin of tick, its end, begin and end of the next
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: next(readings)))
    timed = Clock(1000)
    first = timed.tick(config, state, {}, {})
    assert (first.tick, first.nimg, first.total_nimg) == (3, 1500, 8000)
    assert (first.seconds, first.tick_seconds, first.maintenance_seconds) == (6, 5, 0)
    assert first.sec_per_kimg == pytest.approx(10)
    timed.end_maintenance(1500)
    state.nimg = 2500
    second = timed.tick(config, state, {}, {})
    assert (second.seconds, second.tick_seconds, second.maintenance_seconds) == (11, 3, 2)
    assert second.sec_per_kimg == pytest.approx(3)
