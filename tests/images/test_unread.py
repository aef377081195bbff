from __future__ import annotations

import pytest

from stylegan.errors import DataError
from stylegan.images.read import read_header, read_image
from stylegan.images.unread import known_unread, why_no_image


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "a.heif", "a.avif", "a.mov", "a.cr2", "a.npz", "a.mat", "a.parquet"])
def test_known_formats_come_with_the_way_forward(name):
    assert ";" in known_unread(name)
    assert why_no_image(name) == known_unread(name)


def test_unknown_extensions_are_named():
    assert why_no_image("notes.TXT") == "it is not an image (.txt)"
    assert why_no_image("notes") == "it is not an image (no extension)"


@pytest.mark.parametrize(("brand", "kind"), [(b"heic", "HEIC"), (b"mif1", "HEIC"), (b"avif", "AVIF")])
def test_a_phone_image_under_another_name_is_recognized(tmp_path, brand, kind):
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(100))
    for read in (read_header, read_image):
        with pytest.raises(DataError, match=f"its format {kind} is not read; convert it to PNG or JPEG"):
            read(tmp_path / "a.jpg")
