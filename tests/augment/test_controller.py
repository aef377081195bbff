"""Controller of p, with numbers computed by hand."""

import math

import pytest
import torch

from stylegan.augment import adapted, may_leak


@pytest.mark.parametrize(("r_t", "expected"), [(0.7, 0.11), (0.5, 0.09), (0.6, 0.1), (math.nan, 0.1)])
def test_p_moves_towards_the_target_and_stays_at_the_target_and_on_nan(r_t, expected):
    assert adapted(0.1, r_t, target=0.6, step=0.01) == pytest.approx(expected)


def test_an_undecided_logit_counts_neither_way():
    r_t = torch.tensor([0.0, 0.0, 2.0, -1.0]).sign().mean().item()
    assert adapted(0.3, r_t, target=0.0, step=0.1) == 0.3


def test_p_stays_between_0_and_its_limit():
    assert adapted(0.1, -1, target=0.6, step=0.25) == 0
    assert adapted(0.7, 1, target=0.6, step=0.25) == 0.8
    assert adapted(0.4, 1, target=0.6, step=0.25, max_p=0.5) == 0.5
    assert adapted(0.9, 1, target=0.6, step=0.25, max_p=1) == 1


def test_p_reaches_1_after_steps_that_sum_to_1():
    p = 0.0
    for _ in range(100):
        p = adapted(p, 1, target=0.6, step=0.01, max_p=1)
    assert p == pytest.approx(1)


def test_a_warning_is_due_from_the_safe_limit_on():
    assert [may_leak(p) for p in (0, 0.79, 0.8, 1)] == [False, False, True, True]
    assert may_leak(sum([torch.tensor(0.1)] * 8).item())
