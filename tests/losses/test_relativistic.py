"""The relativistic pairing loss. R3GAN Eq. 2."""

import torch
from torch.testing import assert_close

from stylegan.losses import logistic
from stylegan.losses.relativistic import discriminator_loss, generator_loss

FAKE = torch.linspace(-3, 3, 7)[:, None].requires_grad_(True)
REAL = torch.tensor([1.0, -2.0, 0.0, 0.5, 4.0, -1.0, 3.0])[:, None].requires_grad_(True)


def test_losses_are_the_negative_logarithms_of_the_probability_that_one_of_a_pair_is_the_more_realistic():
    assert_close(generator_loss(FAKE, REAL), -(FAKE - REAL).sigmoid().log())
    assert_close(discriminator_loss(FAKE, REAL), -(REAL - FAKE).sigmoid().log())


def test_the_networks_play_against_each_other():
    """f(t) of the pair for one is f(-t) for the other, and what D gains from a real image it gains from a fake one."""
    assert_close(generator_loss(FAKE, REAL), discriminator_loss(REAL, FAKE))
    on_fake, on_real = torch.autograd.grad(discriminator_loss(FAKE, REAL).sum(), (FAKE, REAL))
    assert_close(on_fake, (FAKE - REAL).sigmoid())
    assert_close(on_real, -on_fake)
    (on_fake,) = torch.autograd.grad(generator_loss(FAKE, REAL).sum(), FAKE)
    assert_close(on_fake, -(REAL - FAKE).sigmoid())


def test_only_differences_of_logits_count():
    for loss in (generator_loss, discriminator_loss):
        assert_close(loss(FAKE + 5, REAL + 5), loss(FAKE, REAL), rtol=1e-5, atol=1e-6)


def test_beside_real_images_of_logit_zero_it_is_the_logistic_loss_of_the_generator():
    assert_close(generator_loss(FAKE, torch.zeros_like(FAKE)), logistic.generator_loss(FAKE))


def test_large_logits_neither_overflow_nor_become_nan():
    fake, real = torch.tensor([[1e4], [-1e4]], requires_grad=True), torch.tensor([[-1e4], [1e4]])
    for loss in (generator_loss, discriminator_loss):
        value = loss(fake, real)
        (gradient,) = torch.autograd.grad(value.sum(), fake)
        assert value.isfinite().all()
        assert gradient.isfinite().all()
