"""The crop around a face that the data sets CelebA-HQ and FFHQ have (Karras et al. 2018, appendix C)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from stylegan.errors import DataError
from stylegan.images.faces import find_faces


def align_face(image: np.ndarray, side: int) -> np.ndarray:
    """Return the largest face of a photo upright, centered, and of the usual size.

    Args:
        image: [H, W, 1, 3 or 4] uint8. Where the crop leaves it, its edges are mirrored.
        side: pixels of the result.
    Returns: [side, side, C] uint8.
    Raises: DataError without a face, and as `find_faces`.
    """
    color = image[:, :, :3] if image.shape[2] >= 3 else image[:, :, :1].repeat(3, axis=2)
    faces = find_faces(color)
    if not faces:
        raise DataError("it shows no face that could be found; take a larger or more frontal one, or crop it yourself")
    return cut_out(image, crop_around(faces[0].landmarks), side)


def face_crop(img: np.ndarray, width: int, height: int, resampling: str = "bicubic") -> np.ndarray:
    """Cut out the largest face as `align_face` does; its own filter takes the place of `resampling`."""
    return align_face(img, width)


def crop_around(landmarks: np.ndarray) -> np.ndarray:
    """Return the corners of the square around a face, [4, 2]: top left, bottom left, bottom right, top right.

    landmarks: [5, 2], see `Face`. With the eyes e and the mouth m, the square has the direction and the size of
    x' = e1 - e0 and y' = (e0 + e1) / 2 - (m0 + m1) / 2.
    """
    e0, e1, _, m0, m1 = landmarks.astype(np.float64)
    eyes, mouth = (e0 + e1) / 2, (m0 + m1) / 2
    across, up = e1 - e0, eyes - mouth
    center = eyes - 0.1 * up
    half = max(4.0 * np.hypot(*across), 3.6 * np.hypot(*up)) / 2
    x = across + np.array([-up[1], up[0]])  # both say where right is
    x *= half / np.hypot(*x)
    y = np.array([-x[1], x[0]])
    return np.stack([center - x - y, center - x + y, center + x + y, center + x - y])


def cut_out(image: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """Return what is between four corners, [side, side, C] uint8; the image is mirrored at its edges."""
    shrink = max(1, int(np.hypot(*(corners[3] - corners[0])) / (2 * side)))  # or pixels would be skipped
    pixels = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
    if shrink > 1:
        pixels = pixels.reduce(shrink)
    corners = (corners + 0.5) / shrink
    least = np.floor(corners.min(0)).astype(int) - 2
    most = np.ceil(corners.max(0)).astype(int) + 2
    rows, columns = (_mirrored(least[k], most[k], length) for k, length in ((1, pixels.height), (0, pixels.width)))
    patch = Image.fromarray(np.asarray(pixels)[rows][:, columns])
    quad = tuple((corners - least).flatten().tolist())
    large = patch.transform((2 * side, 2 * side), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)
    result = np.array(large.reduce(2))
    return result[:, :, None] if result.ndim == 2 else result


def _mirrored(first: int, last: int, length: int) -> np.ndarray:
    """Return indices from `first` to `last` - 1, mirrored into 0 ... `length` - 1."""
    k = np.arange(first, last) % (2 * length)
    return np.minimum(k, 2 * length - 1 - k)
