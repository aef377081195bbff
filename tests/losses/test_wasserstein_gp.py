"""Wasserstein loss with gradient penalty."""

import torch
from torch.testing import assert_close

from stylegan.losses import wasserstein_gp as loss


def quadratic(a):
    """D(x) = sum(a x**2) / 2, so that dD/dx = a x; with a second output that counts for nothing."""
    return lambda x: torch.stack([(a * x.square()).sum([1, 2, 3]) / 2, x.sum([1, 2, 3])], 1)


def test_the_critic_widens_and_the_generator_narrows_the_gap():
    scores = torch.randn(3, 1)
    assert torch.equal(loss.discriminator_loss_fake(scores), scores)
    assert torch.equal(loss.discriminator_loss_real(scores), -scores)
    assert torch.equal(loss.generator_loss(scores), -scores)
    assert_close(loss.drift(scores), scores**2)


def test_penalty_is_of_the_norm_of_the_gradient_on_the_line_between():
    real, fake, a, t = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4), torch.randn(2, 4, 4), torch.rand(3)
    x = real + t[:, None, None, None] * (fake - real)
    norm = (a * x).square().sum([1, 2, 3]).sqrt()
    assert_close(loss.gradient_penalty(quadratic(a), real, fake, t), (norm - 1) ** 2)


def test_gradients_of_the_penalty_reach_the_critic_but_not_the_pictures():
    real, fake = (torch.randn(3, 2, 4, 4, requires_grad=True) for _ in range(2))
    t = torch.rand(3)
    a = torch.randn(2, 4, 4, requires_grad=True)
    loss.gradient_penalty(quadratic(a), real, fake, t).sum().backward()
    assert real.grad is None
    assert fake.grad is None
    x = (real + t[:, None, None, None] * (fake - real)).detach()
    norm = (a * x).square().sum([1, 2, 3], keepdim=True).sqrt()
    assert_close(a.grad, (2 * (norm - 1) / norm * a * x.square()).sum(0))


def test_a_critic_without_slope_has_a_penalty_of_one_and_no_nan():
    a = torch.zeros(2, 4, 4, requires_grad=True)
    penalty = loss.gradient_penalty(quadratic(a), torch.randn(2, 2, 4, 4), torch.randn(2, 2, 4, 4), torch.rand(2))
    penalty.sum().backward()
    assert_close(penalty, torch.ones(2))
    assert a.grad.isfinite().all()


def test_label_loss_is_the_cross_entropy():
    logits, classes = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 2, 1, 2])
    value = loss.label_loss(logits, torch.eye(3)[classes])
    assert_close(value, torch.nn.functional.cross_entropy(logits, classes, reduction="none")[:, None])
    value.sum().backward()
    assert_close(logits.grad, logits.softmax(1).detach() - torch.eye(3)[classes])
