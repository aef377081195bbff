"""Image files as a network would draw them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_generator import tiny_generator

from stylegan.errors import ConfigError, DataError
from stylegan.images.align import align_face
from stylegan.images.read import read_image
from stylegan.inversion.target import as_target, read_mask, read_target, read_targets


def test_an_image_is_cropped_to_its_middle_or_padded_with_its_edges():
    G = tiny_generator()
    image = np.zeros((16, 48, 3), np.uint8)
    image[:, 16:32] = 255  # white between two black squares
    assert as_target(image, G).min() == 255
    image = np.full((16, 8, 3), 9, np.uint8)
    image[:, 0], image[:, -1] = 50, 90
    padded = as_target(image, G, "pad")
    expected = torch.full([16], 9)
    expected[:5], expected[11:] = 50, 90
    assert torch.equal(padded, expected.byte().expand(3, 16, 16))
    with pytest.raises(ConfigError, match="made square by crop or pad or face, got 'stretch'"):
        as_target(image, G, "stretch")


def test_a_mask_is_made_square_as_its_image_is(tmp_path):
    mask = np.zeros((16, 32), np.uint8)
    mask[:, 24:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    G = tiny_generator()
    assert read_mask(tmp_path / "mask.png", G, "pad").mean() == pytest.approx(0.25, abs=0.01)
    with pytest.raises(DataError, match="is black everywhere"):
        read_mask(tmp_path / "mask.png", G)


def test_a_face_is_found_and_cut_out_for_a_network_of_any_channels(tmp_path):
    file = Path(__file__).parents[1] / "images" / "astronaut.jpg"
    photo, color = read_image(file), tiny_generator()
    assert torch.equal(as_target(photo, color, "face"), torch.from_numpy(align_face(photo, 16)).permute(2, 0, 1))
    assert read_target(file, tiny_generator(img_channels=1), "face").shape == (1, 16, 16)
    with pytest.raises(ConfigError, match="a mask has no face to fit"):
        read_mask(file, color, "face")
    Image.new("RGB", (40, 40)).save(tmp_path / "black.png")
    with pytest.raises(DataError, match="black.png cannot be projected: it shows no face"):
        read_target(tmp_path / "black.png", color, "face")


def test_the_images_of_a_folder_are_read_in_the_order_of_their_names(tmp_path):
    G = tiny_generator()
    for name, value in (("b.png", 20), ("a.jpg", 200), ("c.txt", 0)):
        Image.new("RGB", (16, 16), (value,) * 3).save(tmp_path / name, "PNG")
    images = read_targets(tmp_path, G)
    assert images.shape == (2, 3, 16, 16)
    assert images.amax((1, 2, 3)).tolist() == [200, 20]
    assert torch.equal(read_targets(tmp_path / "b.png", G)[0], read_target(tmp_path / "b.png", G))
    (tmp_path / "a.jpg").write_bytes(b"text")
    with pytest.raises(DataError, match="a.jpg cannot be projected"):
        read_targets(tmp_path, G)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no images; put some into it"):
        read_targets(tmp_path / "empty", G)
