"""R1 and R2, by second derivatives and by disturbed images."""

import pytest
import torch
from torch.testing import assert_close

from stylegan.losses.r1 import approximate_r1_penalty, r1_penalty


def quadratic(x, a):
    """D(x) = sum(a x**2) / 2, so that dD/dx = a x."""
    return (a * x.square()).sum([1, 2, 3])[:, None] / 2


def test_penalty_is_the_squared_gradient_of_each_image():
    x, a = torch.randn(3, 2, 4, 4, requires_grad=True), torch.randn(2, 4, 4)
    assert_close(r1_penalty(x, quadratic(x, a)), (a * x).square().sum([1, 2, 3]))


def test_gradients_of_the_penalty_reach_the_discriminator():
    x, a = torch.randn(3, 2, 4, 4, requires_grad=True), torch.randn(2, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(r1_penalty(x, quadratic(x, a)).sum(), a)
    assert_close(gradient, (2 * a * x.square()).sum(0))


def test_a_linear_discriminator_has_its_weight_as_gradient_everywhere():
    x, a = torch.randn(2, 1, 3, 3, requires_grad=True), torch.randn(1, 3, 3, requires_grad=True)
    penalty = r1_penalty(x, (a * x).sum([1, 2, 3])[:, None] + 5)
    assert_close(penalty, a.square().sum().expand(2))


def test_the_score_of_an_image_is_the_mean_of_its_logits():
    x, a = torch.randn(3, 2, 4, 4, requires_grad=True), torch.randn(2, 4, 4)
    logits = torch.cat([quadratic(x, a), 3 * quadratic(x, a)], 1)
    assert_close(r1_penalty(x, logits), (2 * a * x).square().sum([1, 2, 3]))
    approximate = approximate_r1_penalty(torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 5.0]]), 0.5)
    assert_close(approximate, torch.tensor([16.0]))


def test_images_that_need_no_gradient_are_a_mistake():
    x, a = torch.randn(1, 1, 2, 2), torch.randn(1, 2, 2, requires_grad=True)
    with pytest.raises(RuntimeError):
        r1_penalty(x, quadratic(x, a))


def smooth(x, w, v):
    """D(x) = v . tanh(w x)."""
    return (x.flatten(1) @ w).tanh() @ v


def smooth_discriminator():
    """Return images [4, 1, 2, 3], w [6, 8] and v [8, 1]."""
    generator = torch.Generator().manual_seed(0)
    x, w, v = (torch.randn(*shape, generator=generator) for shape in ((4, 1, 2, 3), (6, 8), (8, 1)))
    return x, (w / 2).requires_grad_(True), v.requires_grad_(True)


def approximation(x, w, v, sigma, draws=100_000):
    """Return the mean of the approximate penalty over draws of the noise."""
    noise = torch.randn(draws, *x.shape, generator=torch.Generator().manual_seed(1))
    logits = smooth(x, w, v).expand(draws, -1, -1).flatten(0, 1)
    disturbed = smooth((x + sigma * noise).flatten(0, 1), w, v)
    return approximate_r1_penalty(logits, disturbed, sigma).mean()


def exact(x, w, v):
    x = x.clone().requires_grad_(True)
    return r1_penalty(x, smooth(x, w, v)).mean()


def test_the_approximate_penalty_is_the_squared_difference_of_the_logits_over_the_variance():
    logits, disturbed = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.5], [1.0]])
    assert_close(approximate_r1_penalty(logits, disturbed, 0.1), torch.tensor([25.0, 100.0]))


def test_the_approximate_penalty_of_a_linear_discriminator_is_exact_on_average_for_every_sigma():
    a, noise = torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(0)), torch.eye(9).view(9, 1, 3, 3)
    for sigma in (0.01, 1.0):  # over the axes, whose mean square is that of normal noise
        found = approximate_r1_penalty(torch.zeros(9, 1), sigma * (a * noise).sum([1, 2, 3])[:, None], sigma)
        assert_close(found.sum(), a.square().sum())


def test_the_mean_of_the_approximate_penalty_approaches_the_exact_one_as_sigma_falls():
    x, w, v = smooth_discriminator()
    expected = float(exact(x, w, v).detach())
    errors = [abs(float(approximation(x, w, v, sigma).detach()) / expected - 1) for sigma in (1.0, 0.3, 0.1, 0.01)]
    print("relative errors:", errors)
    assert errors[0] > errors[1] > errors[2]
    assert errors[3] < 0.01


def test_the_gradient_of_the_approximate_penalty_has_the_direction_of_the_exact_one():
    x, w, v = smooth_discriminator()
    gradients = [
        torch.cat([g.flatten() for g in torch.autograd.grad(penalty, (w, v))])
        for penalty in (exact(x, w, v), approximation(x, w, v, 0.01))
    ]
    assert torch.cosine_similarity(*gradients, dim=0) > 0.999
    assert float(gradients[1].norm() / gradients[0].norm()) == pytest.approx(1, abs=0.01)


def test_the_approximate_penalty_is_taken_in_float32():
    logits, disturbed = torch.tensor([[100.0]]).bfloat16(), torch.tensor([[101.0]]).bfloat16()
    penalty = approximate_r1_penalty(logits, disturbed, 0.3)
    assert penalty.dtype == torch.float32
    assert_close(penalty, torch.tensor([1 / 0.09]))
