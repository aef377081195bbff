"""The comparison of edges in the benchmark of image-to-image."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from image_to_image import edge_iou


def line(column):
    image = torch.ones(1, 1, 8, 8)
    image[..., column] = -1
    return image


def test_equal_edges_share_all_and_distant_ones_nothing():
    assert edge_iou(line(3), line(3)) == 1
    assert edge_iou(line(3), line(6), tolerance=1) == 0
    both = torch.minimum(line(1), line(6))
    assert edge_iou(line(1), both) == pytest.approx(1 / 2)


def test_edges_one_pixel_apart_are_shared_within_a_pixel_alone():
    assert edge_iou(line(3), line(4)) == 0
    assert edge_iou(line(3), line(4), tolerance=1) == 1
