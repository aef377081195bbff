"""Muon: steps that change all directions of a matrix alike."""

import pytest
import torch
from torch.testing import assert_close

from stylegan.inversion.muon import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape):
    rng = torch.Generator().manual_seed(0)
    u, _, vt = torch.linalg.svd(torch.randn(shape, generator=rng), full_matrices=False)
    values = torch.linspace(0.05, 2, min(shape))
    after = u.t() @ orthogonalized(u @ torch.diag(values) @ vt) @ vt.t()
    assert_close(after, torch.diag(after.diagonal()), atol=1e-4, rtol=0)
    assert ((after.diagonal() > 0.6) & (after.diagonal() < 1.3)).all()


def test_the_scale_of_a_gradient_does_not_matter_and_a_zero_one_stays_zero():
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(1))
    assert_close(orthogonalized(1e-6 * x), orthogonalized(x))
    assert not orthogonalized(torch.zeros(3, 5)).any()


@pytest.mark.parametrize("shape", [(16, 8, 3, 3), (24, 24)])
def test_a_step_has_the_size_of_the_learning_rate(shape):
    weight = torch.zeros(shape, requires_grad=True)
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    Muon([weight], lr=0.01).step()
    assert 0.006 < float(weight.detach().square().mean().sqrt()) < 0.013
    assert (weight.detach() * weight.grad).sum() < 0  # downhill


def test_a_badly_scaled_problem_takes_fewer_steps_than_with_adam():
    """Linear regression whose inputs are strong in a few directions, as the features of a network are."""
    rng = torch.Generator().manual_seed(3)
    turn = torch.linalg.qr(torch.randn(16, 16, generator=rng))[0]
    inputs = torch.randn(64, 16, generator=rng) * torch.logspace(0, -2, 16) @ turn
    wanted = inputs @ torch.randn(16, 16, generator=rng)

    def error(optimizer_of) -> float:
        weight = torch.zeros(16, 16, requires_grad=True)
        optimizer = optimizer_of([weight])
        for step in range(100):
            optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 100)
            loss = (inputs @ weight - wanted).square().mean()
            weight.grad = None
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    assert error(lambda p: Muon(p, lr=0.1)) < 0.5 * error(lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.9, 0.9)))
