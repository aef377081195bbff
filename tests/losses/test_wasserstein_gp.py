"""The objective of ProGAN."""

import pytest
import torch

from stylegan.losses import wasserstein_gp


def test_values():
    logits = torch.tensor([[-2.0], [0.0], [3.0]])
    assert wasserstein_gp.generator_loss(logits).flatten().tolist() == [2, 0, -3]
    assert wasserstein_gp.discriminator_loss_fake(logits).flatten().tolist() == [-2, 0, 3]
    expected = [2 + 0.004, 0, -3 + 0.009]
    assert wasserstein_gp.discriminator_loss_real(logits).flatten().tolist() == pytest.approx(expected)


def test_the_penalty_is_the_squared_distance_of_the_slope_from_one():
    img = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    slope = torch.tensor([0.5, 1.0, 3.0])
    logits = (img.mean([1, 2, 3]) * 32**0.5 * slope)[:, None]  # a plane that rises by `slope`
    penalty = wasserstein_gp.gradient_penalty(img, logits)
    torch.testing.assert_close(penalty, (slope - 1).square())
    several = torch.cat([0.5 * logits, 1.5 * logits], 1)  # with the same mean
    torch.testing.assert_close(wasserstein_gp.gradient_penalty(img, several), (slope - 1).square())


def test_the_penalty_can_be_differentiated_where_the_critic_is_flat():
    weight = torch.zeros(2, requires_grad=True)
    img = torch.randn(1, 2, 1, 1, requires_grad=True)
    wasserstein_gp.gradient_penalty(img, (img[:, :, 0, 0] * weight).sum(1, keepdim=True)).sum().backward()
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


def test_the_label_loss_is_the_cross_entropy():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    classes = torch.tensor([0, 2, 1, 1])
    c = torch.eye(3)[classes]
    expected = torch.nn.functional.cross_entropy(logits, classes, reduction="none")
    torch.testing.assert_close(wasserstein_gp.label_loss(logits, c), expected)
