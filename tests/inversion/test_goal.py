"""The goal of a search, with a distance that needs no trained network."""

import pytest
import torch

from stylegan.images.pixels import to_float
from stylegan.inversion.goal import Goal


class SquaredError:
    """The mean squared difference of pixels in the place of the perceptual distance."""

    @staticmethod
    def features(images, smallest_side=None):
        return [images if smallest_side is None else images[..., :smallest_side, :smallest_side]]

    @staticmethod
    def between(a, b):
        return (a[0] - b[0]).square().mean([1, 2, 3])


@pytest.mark.parametrize("pixel_weight", [0.0, 2.0])
def test_pixels_that_the_mask_hides_count_neither_in_targets_nor_in_images(pixel_weight):
    targets = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    mask = torch.ones(1, 1, 8, 8)
    mask[..., 5:] = 0
    known = (images - to_float(targets))[..., :5].square().sum([1, 2, 3]) / (3 * 8 * 8)
    found = Goal(targets, mask, SquaredError(), pixel_weight)(images)
    torch.testing.assert_close(found, (1 + pixel_weight) * known)


def test_the_search_can_compare_at_another_side_than_the_perceptual_distance_itself():
    targets, images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.ones(1, 3, 8, 8)
    images[..., :4, :4] = -1  # as the targets
    assert float(Goal(targets, None, SquaredError(), 0.0)(images)) > 0
    assert float(Goal(targets, None, SquaredError(), 0.0, smallest_side=4)(images)) == 0
