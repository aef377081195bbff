"""Non-saturating logistic loss."""

import torch
from torch.testing import assert_close

from stylegan.losses.logistic import discriminator_loss_fake, discriminator_loss_real, generator_loss

LOGITS = torch.linspace(-6, 6, 13)[:, None]


def test_losses_are_the_negative_logarithms_of_the_sigmoid():
    probability = LOGITS.sigmoid()
    assert_close(generator_loss(LOGITS), -probability.log())
    assert_close(discriminator_loss_real(LOGITS), -probability.log())
    assert_close(discriminator_loss_fake(LOGITS), -(1 - probability).log())


def test_one_loss_per_image_in_the_shape_of_the_logits():
    for loss in (generator_loss, discriminator_loss_real, discriminator_loss_fake):
        assert loss(LOGITS).shape == (13, 1)


def test_an_undecided_discriminator_costs_log_two():
    for loss in (generator_loss, discriminator_loss_real, discriminator_loss_fake):
        assert_close(loss(torch.zeros(1, 1)), torch.full([1, 1], 2.0).log())


def test_the_generator_still_learns_where_the_discriminator_is_sure():
    logits = torch.tensor([[-100.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(generator_loss(logits).sum(), logits)
    assert_close(gradient, torch.tensor([[-1.0]]))


def test_large_logits_neither_overflow_nor_become_nan():
    logits = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    for loss in (generator_loss, discriminator_loss_real, discriminator_loss_fake):
        value = loss(logits)
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert value.isfinite().all()
        assert gradient.isfinite().all()
