"""R1."""

import pytest
import torch
from torch.testing import assert_close

from stylegan.losses.r1 import r1_penalty


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


def test_images_that_need_no_gradient_are_a_mistake():
    x, a = torch.randn(1, 1, 2, 2), torch.randn(1, 2, 2, requires_grad=True)
    with pytest.raises(RuntimeError):
        r1_penalty(x, quadratic(x, a))
