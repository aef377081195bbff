"""Running statistics of a tick."""

import math

import pytest
import torch

from stylegan.training.statistics import Statistics


def test_count_mean_and_deviation_are_those_of_all_values_together():
    values = torch.randn(60) + 2
    statistics = Statistics()
    for part in (values[:10].reshape(2, 5), values[10:11], values[11:].reshape(7, 1, 7)):
        statistics.add("loss", part)
    result = statistics.collect()["loss"]
    assert result["num"] == 60
    assert result["mean"] == pytest.approx(values.mean().item(), rel=1e-5)
    assert result["std"] == pytest.approx(values.std(unbiased=False).item(), rel=1e-4)


def test_numbers_and_tensors_of_any_dtype_are_taken():
    statistics = Statistics()
    for value in (1, 2.0, torch.tensor(3), torch.tensor([4.0], dtype=torch.bfloat16), torch.tensor(True)):
        statistics.add("x", value)
    assert statistics.collect()["x"] == {"num": 5, "mean": pytest.approx(2.2), "std": pytest.approx(1.16619, rel=1e-4)}


def test_names_are_kept_apart():
    statistics = Statistics()
    statistics.add("a", 1.0)
    statistics.add("b", 5.0)
    assert {name: r["mean"] for name, r in statistics.collect().items()} == {"a": 1.0, "b": 5.0}


def test_collecting_starts_again():
    statistics = Statistics()
    statistics.add("a", 1.0)
    statistics.collect()
    assert statistics.collect() == {}
    statistics.add("a", 3.0)
    assert statistics.collect()["a"] == {"num": 1, "mean": 3.0, "std": 0.0}


def test_equal_values_have_no_deviation():
    statistics = Statistics()
    for _ in range(100):
        statistics.add("a", torch.full([7], 0.1))
    assert statistics.collect()["a"]["std"] == pytest.approx(0, abs=1e-4)


def test_nothing_that_is_added_keeps_its_graph():
    x = torch.ones(3, requires_grad=True)
    statistics = Statistics()
    statistics.add("a", x * 2)
    x.data.fill_(9)
    assert statistics.collect()["a"]["mean"] == 2.0


def test_a_value_that_is_no_number_is_not_hidden():
    statistics = Statistics()
    statistics.add("a", torch.tensor([1.0, float("nan")]))
    assert math.isnan(statistics.collect()["a"]["mean"])
