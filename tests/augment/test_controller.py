"""The heuristic that chooses p, with numbers worked out by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from stylegan.augment import AdaptiveStrength, may_leak
from stylegan.errors import ConfigError


def test_p_moves_by_batch_times_interval_over_ada_images():
    control = AdaptiveStrength(target=0.6, ada_kimg=500, interval=4)
    assert control.update(0.1, 0.7, batch=64) == pytest.approx(0.1 + 64 * 4 / 500_000)  # 0.100512
    assert control.update(0.1, 0.5, batch=64) == pytest.approx(0.1 - 64 * 4 / 500_000)  # 0.099488
    assert AdaptiveStrength(ada_kimg=100).update(0, 1, batch=32) == pytest.approx(0.00128)


def test_p_rests_on_target_and_when_nothing_is_known():
    assert AdaptiveStrength().update(0.3, 0.6, batch=64) == 0.3
    assert AdaptiveStrength().update(0.3, math.nan, batch=64) == 0.3


def test_an_undecided_logit_counts_neither_way():
    r_t = torch.tensor([0.0, 0.0, 2.0, -1.0]).sign().mean().item()
    assert AdaptiveStrength(target=0.0).update(0.3, r_t, batch=64) == 0.3


def test_p_stays_between_0_and_its_limit():
    control = AdaptiveStrength(ada_kimg=1)
    assert control.update(0.1, -1, batch=64) == 0
    assert control.update(0.7, 1, batch=64) == 0.8
    assert AdaptiveStrength(ada_kimg=1, max_p=0.5).update(0.4, 1, batch=64) == 0.5
    assert AdaptiveStrength(ada_kimg=1, max_p=1).update(0.9, 1, batch=64) == 1


def test_p_reaches_1_after_ada_kimg_thousand_images():
    control, p = AdaptiveStrength(ada_kimg=2, max_p=1), 0.0
    for _ in range(2000 // (4 * 5)):  # updates, of 4 steps of 5 images
        p = control.update(p, 1, batch=5)
    assert_close(p, 1.0)


def test_a_warning_is_due_from_the_safe_limit_on():
    assert [may_leak(p) for p in (0, 0.79, 0.8, 1)] == [False, False, True, True]
    assert may_leak(torch.tensor(0.8).item())


def test_wrong_settings_are_refused_in_a_sentence():
    with pytest.raises(ConfigError, match="the upper limit of p must lie in 0 to 1, got 1.5."):
        AdaptiveStrength(max_p=1.5)
    with pytest.raises(ConfigError, match="ada_kimg must be above 0, got 0."):
        AdaptiveStrength(ada_kimg=0)
    with pytest.raises(ConfigError, match="augmentation must be adapted every 1 or more steps, got 0."):
        AdaptiveStrength(interval=0)
