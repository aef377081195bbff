from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan.data.sources import open_source
from stylegan.errors import DataError
from stylegan.images.read import MAX_PIXELS, read_header, read_image


def save(path: Path, img: np.ndarray | Image.Image, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = img if isinstance(img, Image.Image) else Image.fromarray(img)
    image.save(path, **options)
    return path


def gray(side=8, value=7):
    return np.full((side, side), value, np.uint8)


def write_idx(path: Path, array: np.ndarray) -> Path:
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


# folders


def test_folder_names_are_relative_and_sorted_at_any_depth(tmp_path):
    for name in ("b.png", "a/z.png", "a/b/c.png", "Ünï çödé.PNG"):
        save(tmp_path / name, gray())
    assert open_source(tmp_path).names == sorted(["b.png", "a/z.png", "a/b/c.png", "Ünï çödé.PNG"])


def test_files_that_are_no_images_are_ignored_with_a_reason(tmp_path):
    save(tmp_path / "a.png", gray())
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "dataset.json").write_text('{"labels": null}')
    save(tmp_path / "deep/b.png", gray())
    (tmp_path / "deep/dataset.json").write_text("{}")
    source = open_source(tmp_path)
    assert [name for name, _ in source.ignored] == ["deep/dataset.json", "notes.txt"]
    assert dict(source.ignored)["notes.txt"] == "it is not an image (.txt)"


def test_symlink_loops_and_pipes_do_not_hang(tmp_path):
    save(tmp_path / "a/1.png", gray())
    (tmp_path / "a/loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    source = open_source(tmp_path)
    assert source.names == ["a/1.png"]
    assert [name for name, _ in source.ignored] == ["dangling.png", "pipe.png"]


def test_folder_fingerprint_changes_with_a_image(tmp_path):
    save(tmp_path / "a.png", gray())
    before = open_source(tmp_path).fingerprint()
    assert open_source(tmp_path).fingerprint() == before
    save(tmp_path / "b.png", gray())
    assert open_source(tmp_path).fingerprint() != before


# zips


def test_zip_members_with_hostile_names_are_read_and_never_unpacked(tmp_path):
    png = io.BytesIO()
    Image.fromarray(gray(value=9)).save(png, "PNG")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("../../evil.png", png.getvalue())
        file.writestr("/abs.png", png.getvalue())
    with open_source(tmp_path / "x.zip") as source:
        assert source.names == ["../../evil.png", "/abs.png"]
        assert (source.image("/abs.png") == 9).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.zip"]


def test_a_zip_member_with_a_wrong_checksum_has_a_reason(tmp_path):
    png = io.BytesIO()
    Image.fromarray(gray()).save(png, "PNG", compress_level=0)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("a.png", png.getvalue())
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[content.index(b"IDAT") + 12] ^= 1
    (tmp_path / "x.zip").write_bytes(content)
    with open_source(tmp_path / "x.zip") as source, pytest.raises(DataError, match=r"cannot be unpacked .*CRC"):
        source.image("a.png")


def test_zip_fingerprint_depends_on_content_and_not_on_place(tmp_path):
    def make(path, value):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a.png", bytes([value]))
        return open_source(path).fingerprint()

    assert make(tmp_path / "a.zip", 1) == make(tmp_path / "b.zip", 1) != make(tmp_path / "c.zip", 2)


@pytest.mark.parametrize("name", ["x.ZIP", "x", "x.cbz"])
def test_a_zip_is_known_by_its_content(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as file:
        file.writestr("a.png", b"x")
    assert open_source(tmp_path / name).names == ["a.png"]


# IDX files


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_images_of_28_px_are_padded_to_32_and_labeled_by_the_file_beside(tmp_path, suffix):
    pixels = np.random.RandomState(0).randint(0, 256, (5, 28, 28)).astype(np.uint8)
    path = write_idx(tmp_path / f"train-images-idx3-ubyte{suffix}", pixels)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", np.array([3, 0, 1, 2, 9], np.uint8))
    source = open_source(path)
    img = source.image(source.names[4])
    assert img.shape == (32, 32, 1)
    assert (img[2:30, 2:30, 0] == pixels[4]).all()
    assert int(img.sum()) == int(pixels[4].sum())
    assert source.labels().by_name[source.names[4]] == 9


def test_idx_without_labels_beside_it_has_none(tmp_path):
    path = write_idx(tmp_path / "images", np.zeros((2, 8, 8), np.uint8))
    source = open_source(path)
    assert source.labels() is None
    assert source.image("00000001").shape == (8, 8, 1)


def test_damaged_idx_files_get_a_sentence(tmp_path):
    path = write_idx(tmp_path / "x-images-idx3-ubyte", np.zeros((4, 8, 8), np.uint8))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"damaged: its header declares 256 bytes, but it has 255"):
        open_source(path)
    zipped = write_idx(tmp_path / "y-images-idx3-ubyte.gz", np.ones((4, 8, 8), np.uint8))
    zipped.write_bytes(zipped.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be read as an IDX file"):
        open_source(zipped)


def test_idx_labels_given_as_images_are_refused(tmp_path):
    path = write_idx(tmp_path / "x-labels-idx1-ubyte", np.zeros(4, np.uint8))
    with pytest.raises(DataError, match="holds labels; give the file of images"):
        open_source(path)


def test_idx_label_count_must_agree(tmp_path):
    path = write_idx(tmp_path / "x-images-idx3-ubyte", np.zeros((4, 8, 8), np.uint8))
    write_idx(tmp_path / "x-labels-idx1-ubyte", np.zeros(3, np.uint8))
    with pytest.raises(DataError, match="holds 3 labels for the 4 images"):
        open_source(path).labels()


# neither


def test_what_is_no_source_gets_a_sentence(tmp_path):
    with pytest.raises(DataError, match="there is nothing at"):
        open_source(tmp_path / "missing")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match="neither a folder, nor a zip or tar, nor an IDX or TFRecord file"):
        open_source(tmp_path / "a.txt")


# single images: modes, orientation, damage


def test_sixteen_bit_gray_is_scaled_and_not_clipped(tmp_path):
    deep = np.array([[0, 257, 32896, 65535]] * 4, np.uint16)
    for name in ("a.png", "a.tif"):
        path = save(tmp_path / name, deep)
        assert read_image(path)[0, :, 0].tolist() == [0, 1, 128, 255]
        assert read_header(path).channels == 1


def test_palettes_become_rgb_or_rgba_when_transparent(tmp_path):
    red = Image.new("RGB", (4, 4), (255, 0, 0)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert read_image(save(tmp_path / "p.png", red))[0, 0].tolist() == [255, 0, 0]
    clear = save(tmp_path / "t.png", red, transparency=0)
    assert read_image(clear)[0, 0, 3] == 0
    assert read_header(clear).channels == 4


@pytest.mark.parametrize(
    ("mode", "extension", "channels"),
    [("1", "png", 1), ("L", "jpg", 1), ("LA", "png", 4), ("RGB", "bmp", 3), ("RGBA", "webp", 4), ("CMYK", "jpg", 3)],
)
def test_each_mode_has_its_channels_in_header_and_pixels(tmp_path, mode, extension, channels):
    path = save(tmp_path / f"x.{extension}", Image.new(mode, (6, 4)))
    assert read_image(path).shape == (4, 6, channels)
    assert read_header(path).channels == channels


def test_cmyk_white_is_white(tmp_path):
    path = save(tmp_path / "x.jpg", Image.new("CMYK", (4, 4), (0, 0, 0, 0)))
    assert read_image(path).min() >= 254


def test_exif_orientation_is_applied(tmp_path):
    img = np.zeros((4, 8), np.uint8)
    img[:, :4] = 255  # the left half is bright
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    path = save(tmp_path / "x.png", img, exif=exif)
    turned = read_image(path)[:, :, 0]
    assert turned.shape == (8, 4)
    assert (turned[:4] == 255).all()
    assert (turned[4:] == 0).all()


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "x.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert read_image(tmp_path / "x.webp")[0, 0].tolist()[:3] == [255, 0, 0]


@pytest.mark.parametrize("extension", ["png", "jpg", "gif", "webp", "tif", "jp2", "bmp", "ppm"])
def test_truncated_and_empty_images_have_a_reason(tmp_path, extension):
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)
    path = save(tmp_path / f"x.{extension}", noise)
    content = path.read_bytes()
    for cut in (0, 1, 30, len(content) // 2):
        path.write_bytes(content[:cut])
        with pytest.raises(DataError, match=r"^it "):
            read_image(path)


def test_floating_point_images_have_a_reason(tmp_path):
    path = save(tmp_path / "x.tif", np.zeros((4, 4), np.float32))
    with pytest.raises(DataError, match="floating-point"):
        read_image(path)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("side", [9500, 14000, 60000])  # above our limit, above Pillow's, far above
def test_decompression_bombs_have_a_reason_and_are_not_decoded(tmp_path, side):
    header = png_chunk(b"IHDR", struct.pack(">II5B", side, side, 8, 0, 0, 0, 0))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""))
    with pytest.raises(DataError, match=str(MAX_PIXELS)):
        read_image(path)


def test_other_formats_under_a_image_name_are_refused(tmp_path):
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    with pytest.raises(DataError, match="it is empty, damaged or not one of BMP"):
        read_image(tmp_path / "x.png")
