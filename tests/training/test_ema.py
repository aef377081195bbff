"""The averaged generator."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from stylegan.training.ema import ema_beta, update_ema


def network(value: float) -> nn.Module:
    module = nn.BatchNorm1d(3)  # parameters and buffers, also one of integers
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.fill_(value)
    return module


def test_a_share_is_halved_after_ema_kimg_thousand_images():
    steps = 5000 // 20
    assert ema_beta(20, nimg=10**9, ema_kimg=5, rampup=None) ** steps == pytest.approx(0.5)


def test_rampup_limits_the_half_life_to_its_share_of_the_images_seen():
    assert ema_beta(32, nimg=10_000, ema_kimg=10, rampup=0.05) == pytest.approx(0.5 ** (32 / 500))
    assert ema_beta(32, nimg=10**7, ema_kimg=10, rampup=0.05) == ema_beta(32, 0, ema_kimg=10, rampup=None)


def test_the_first_step_of_a_rampup_forgets_the_random_start():
    assert ema_beta(8, nimg=0, ema_kimg=10, rampup=0.05) == 0


def test_parameters_are_averaged_and_buffers_copied():
    average, current = network(1), network(3)
    update_ema(average, current, beta=0.75)
    for p in average.parameters():
        assert_close(p.data, torch.full([3], 1.5))
    for b in average.buffers():
        assert (b == 3).all()


def test_the_network_itself_is_left_alone_and_shares_nothing_with_its_average():
    average, current = network(1), network(3)
    update_ema(average, current, beta=0.0)
    with torch.no_grad():
        for tensor in (*average.parameters(), *average.buffers()):
            tensor.zero_()
    for tensor in (*current.parameters(), *current.buffers()):
        assert (tensor == 3).all()


@pytest.mark.parametrize(("beta", "expected"), [(0.0, 3.0), (1.0, 1.0)])
def test_beta_zero_copies_and_beta_one_keeps(beta, expected):
    average = network(1)
    update_ema(average, network(3), beta)
    for p in average.parameters():
        assert (p == expected).all()


def test_updating_records_no_gradient():
    average, current = network(1), network(3)
    update_ema(average, current, 0.5)
    assert all(p.requires_grad and p.is_leaf and p.grad is None for p in average.parameters())
