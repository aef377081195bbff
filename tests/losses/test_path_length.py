"""Path length regularization."""

import math

import pytest
import torch
from torch.testing import assert_close

from stylegan.losses.path_length import corrected_mean_penalty, path_length_penalty, path_lengths

N, L, D, SHAPE = 3, 4, 5, (2, 6, 3)


def linear_generator(ws, jacobian):
    """img = sum over layers of J_l w_l, with jacobian [C, H, W, L, D]."""
    return torch.einsum("chwld,nld->nchw", jacobian, ws)


def test_length_of_a_linear_generator_is_the_norm_of_its_jacobian_times_the_noise():
    ws, jacobian, y = torch.randn(N, L, D, requires_grad=True), torch.randn(*SHAPE, L, D), torch.randn(N, *SHAPE)
    lengths = path_lengths(linear_generator(ws, jacobian), ws, y)
    product = torch.einsum("chwld,nchw->nld", jacobian, y) / math.sqrt(6 * 3)  # J^T y per layer
    assert_close(lengths, product.square().sum(2).mean(1).sqrt())


def test_path_lengths_of_an_orthogonal_generator_are_equal():
    size = 2 * 4 * 4
    jacobian = 3 * torch.linalg.qr(torch.randn(size, size))[0].reshape(2, 4, 4, 1, size)
    ws, y = torch.randn(N, 1, size, requires_grad=True), torch.randn(N, 2, 4, 4)
    lengths = path_lengths(linear_generator(ws, jacobian), ws, y)
    assert_close(lengths, 3 * y.flatten(1).norm(dim=1) / 4)


def test_gradients_of_the_penalty_reach_the_generator():
    ws, y = torch.randn(N, L, D, requires_grad=True), torch.randn(N, *SHAPE)
    jacobian = torch.randn(*SHAPE, L, D, requires_grad=True)
    penalty, _ = path_length_penalty(path_lengths(linear_generator(ws, jacobian), ws, y), torch.tensor(0.5))
    (gradient,) = torch.autograd.grad(penalty.sum(), jacobian)
    assert gradient.isfinite().all()
    assert gradient.abs().min() > 0


def test_penalty_is_the_squared_distance_to_a_mean_that_includes_the_batch():
    lengths, mean = torch.tensor([1.0, 3.0, 8.0]), torch.tensor(2.0)
    penalty, new = path_length_penalty(lengths, mean, decay=0.25)
    assert_close(new, torch.tensor(2.5))
    assert_close(penalty, torch.tensor([2.25, 0.25, 30.25]))


def test_the_mean_passes_gradients_but_is_returned_detached():
    lengths, decay = torch.tensor([1.0, 3.0], requires_grad=True), 0.1
    penalty, new = path_length_penalty(lengths, torch.tensor(0.0), decay)
    assert not new.requires_grad
    assert penalty.requires_grad
    (gradient,) = torch.autograd.grad(penalty[0], lengths)
    a = decay * 2.0
    assert_close(gradient, 2 * (1 - a) * torch.tensor([1 - decay / 2, -decay / 2]))


def test_the_running_mean_approaches_the_lengths():
    mean = torch.tensor(0.0)
    for _ in range(500):
        _, mean = path_length_penalty(torch.tensor([2.0, 4.0]), mean)
    assert mean == pytest.approx(3 * (1 - 0.99**500), rel=1e-4)


def test_the_mean_of_the_batches_before_makes_up_for_its_start_at_zero():
    """Penalties of consecutive calls of `minimal.PathLengthPenalty`."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.rand(5, 4, generator=generator)
    mean = torch.zeros([])
    for k in range(5):
        penalty, mean = corrected_mean_penalty(lengths[k], mean, 0.25, k)
        weights = torch.tensor([0.75 ** (k - 1 - j) for j in range(k)])
        a = (weights * lengths[:k].mean(1)).sum() / weights.sum() if k else lengths[0]
        torch.testing.assert_close(penalty, (lengths[k] - a).square())
