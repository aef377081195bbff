"""DiffAugment against a slow twin, one image and one pixel at a time."""

import torch
from derivatives import assert_differentiable_twice
from torch.testing import assert_close

from stylegan.augment.diff_augment import diff_augment, recolor, translate


def slow_recolored(image, brightness, saturation, contrast):
    image = image + brightness
    for y in range(image.shape[1]):
        for x in range(image.shape[2]):
            gray = sum(image[:, y, x]) / len(image)
            image[:, y, x] = gray + saturation * (image[:, y, x] - gray)
    mean = image.sum() / image.numel()
    return mean + contrast * (image - mean)


def slow_translated(image, down, right):
    result = torch.zeros_like(image)
    for y in range(image.shape[1]):
        for x in range(image.shape[2]):
            if 0 <= y + down < image.shape[1] and 0 <= x + right < image.shape[2]:
                result[:, y + down, x + right] = image[:, y, x]
    return result


def test_recoloring_equals_its_slow_twin():
    images = torch.randn(3, 3, 4, 5)
    values = torch.randn(3, 3)
    expected = [slow_recolored(image.clone(), *v) for image, v in zip(images, values, strict=True)]
    assert_close(recolor(images, *values.T.reshape(3, 3, 1, 1, 1)), torch.stack(expected))


def test_translation_equals_its_slow_twin_and_moves_only_whole_pixels():
    images, down, right = torch.randn(4, 2, 5, 6), torch.tensor([0, 2, -1, 5]), torch.tensor([0, -3, 2, 0])
    moves = zip(images, down.tolist(), right.tolist(), strict=True)
    assert torch.equal(translate(images, down, right), torch.stack([slow_translated(*move) for move in moves]))


def test_values_have_the_published_ranges():
    """Brightness in [-0.5, 0.5], saturation in [0, 2], contrast in [0.5, 1.5], translation by 1/8, cutout of 1/2."""
    n = 4000
    flat = diff_augment(torch.full([n, 1, 16, 16], 1.0), cutout=0)
    value = flat[:, 0, 8, 8]  # never moved in from outside
    assert_close(value.aminmax(), torch.return_types.aminmax((torch.tensor(0.5), torch.tensor(1.5))), atol=0.01, rtol=0)
    rows, columns = (flat[:, 0] != 0).any(2), (flat[:, 0] != 0).any(1)
    for inside in (rows, columns):
        lost = 16 - inside.sum(1)
        assert lost.unique().tolist() == [0, 1, 2]
        assert_close((lost == 0).float().mean(), torch.tensor(1 / 5), atol=0.03, rtol=0)
    cut = diff_augment(torch.full([n, 1, 16, 16], 3.0))  # no brightness makes it zero
    centered = (cut[:, 0, 2:14, 2:14] == 0).float()  # where translation brings in no zeros
    assert centered.flatten(1).sum(1).max() == 64
    color = torch.tensor([0.3, -0.3])[:, None, None].expand(n, 2, 16, 16)
    color = diff_augment(torch.cat([color, torch.zeros(n, 1, 16, 16)], 1), cutout=0)[:, :, 8, 8]
    factor = (color[:, 0] - color[:, 1]) / 0.6  # saturation times contrast
    assert 0 <= factor.min() < 0.02
    assert 2.7 < factor.max() < 3
    assert_close(factor.mean(), torch.tensor(1.0), atol=0.05, rtol=0)


def test_every_image_has_its_own_values_which_the_seed_decides():
    images = torch.randn(1, 3, 16, 16).repeat(4, 1, 1, 1)
    torch.manual_seed(5)
    first = diff_augment(images)
    torch.manual_seed(5)
    assert torch.equal(diff_augment(images), first)
    assert not any(torch.equal(first[0], other) for other in first[1:])


def test_gray_images_have_no_saturation_and_alpha_no_color():
    torch.manual_seed(0)
    gray = diff_augment(torch.randn(2, 1, 8, 8))
    assert gray.shape == (2, 1, 8, 8)
    images = torch.cat([torch.randn(8, 3, 16, 16), torch.ones(8, 1, 16, 16)], 1)
    alpha = diff_augment(images)[:, 3]
    assert set(alpha.unique().tolist()) == {0, 1}


def test_it_is_differentiable_twice():
    def augmented(images):
        torch.manual_seed(0)
        return diff_augment(images)

    assert_differentiable_twice(augmented, torch.randn(1, 3, 4, 4, dtype=torch.float64))
