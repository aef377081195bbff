"""Sheets of images."""

from importlib import import_module

import pytest
import torch

from stylegan.errors import ConfigError
from stylegan.images.grid import auto_shape, grid, make_grid


def test_image_k_is_at_row_k_over_columns():
    images = torch.randint(1, 256, [5, 3, 4, 6], dtype=torch.uint8)
    sheet = make_grid(iter(images), columns=2, rows=3)
    assert sheet.shape == (3, 12, 12)
    for k, image in enumerate(images):
        row, column = k // 2, k % 2
        assert torch.equal(sheet[:, row * 4 : row * 4 + 4, column * 6 : column * 6 + 6], image)
    assert not sheet[:, 8:, 6:].any()  # the sixth place is empty


def test_too_many_images_or_none_are_refused():
    images = torch.zeros(5, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(ConfigError, match="a 2x2 grid holds 4 images, got more"):
        make_grid(images, columns=2, rows=2)
    with pytest.raises(ConfigError, match="at least one image, got none"):
        make_grid([], columns=2, rows=2)


def test_auto_shape_has_room_for_all_and_is_at_most_twice_as_wide_as_high():
    assert [auto_shape(n) for n in (1, 2, 4, 8, 9, 12, 32)] == [(1, 1), (2, 1), (2, 2), (4, 2), (3, 3), (4, 3), (8, 4)]
    for n in range(1, 200):
        columns, rows = auto_shape(n)
        assert columns * (rows - 1) < n <= columns * rows
        assert columns < 2 * n**0.5 + 2


@pytest.mark.parametrize(("columns", "shape"), [(None, (5, 1)), (1, (1, 5)), (4, (4, 2)), (7, (7, 1))])
def test_a_grid_has_as_many_rows_as_its_images_need(columns, shape):
    images = torch.randint(1, 256, [5, 3, 4, 6], dtype=torch.uint8)
    assert torch.equal(grid(images, columns), make_grid(images, *shape))
    assert torch.equal(grid(list(images), columns), make_grid(images, *shape))


def test_a_grid_without_columns_or_images_is_refused():
    with pytest.raises(ConfigError, match="a grid needs at least 1 column, got 0"):
        grid(torch.zeros(2, 3, 4, 4), columns=0)
    for columns in (None, 2):
        with pytest.raises(ConfigError, match="at least one image, got none"):
            grid([], columns)


def test_a_sheet_larger_than_memory_is_refused_with_its_size_before_it_is_allocated(monkeypatch):
    image = torch.zeros(3, 512, 512, dtype=torch.uint8)
    with pytest.raises(
        ConfigError, match=r"a sheet of 999999x999999 images of 512x512 has 786430427.1 GB, and writing"
    ):
        make_grid([image], 999999, 999999)
    for free, fits in ((3 * 4 * image.nbytes, True), (3 * 4 * image.nbytes - 1, False), (None, True)):
        module = import_module("stylegan.images.grid")  # the package names its function grid
        monkeypatch.setattr(module, "available_bytes", lambda device, free=free: free)
        if fits:
            assert make_grid([image], 2, 2).shape == (3, 1024, 1024)
            continue
        with pytest.raises(ConfigError, match="make it smaller"):
            make_grid([image], 2, 2)
