"""The check for leaks: a short soak of everything finds none, and finds one that is made on purpose."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="pip install 'stylegan[studio]'")
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as on Linux")

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "studio.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("studio_benchmark", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_at_once_gives_expected_answers_and_leaves_no_threads_or_files(benchmark, networks):
    found = benchmark.soak(str(networks["plain"]), 4, 10, leak=False)
    assert found["calls"] > 20
    assert [reason for reason in found["wrong"] if "memory" not in reason] == []  # caches fill for longer than this


def test_a_leak_is_found_by_the_same_check(benchmark, networks):
    found = benchmark.soak(str(networks["plain"]), 4, 10, leak=True)
    assert any("memory grows" in reason for reason in found["wrong"]), found


def test_a_slope_is_that_of_most_samples(benchmark):
    times = [k / 10 for k in range(100)]
    assert benchmark.slope_per_minute(times, [5.0] * 100) == 0
    assert benchmark.slope_per_minute(times, [5 + 0.1 * t for t in times]) == pytest.approx(6)
    assert benchmark.slope_per_minute(times, [5.0] * 90 + [90.0] * 10) == 0
