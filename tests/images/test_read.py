"""Reading images leaves the warnings of the program alone."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from stylegan.images.read import read_image


@pytest.fixture
def odd_exif() -> bytes:
    """A JPEG that makes Pillow warn: its EXIF declares 255 entries and has none."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\0")
    return file.getvalue()


def test_importing_changes_no_filter():
    code = "import warnings; before = list(warnings.filters); import stylegan.data, stylegan.images; "
    code += "assert [f for f in warnings.filters if f not in before and 'PIL' in str(f)] == []"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pillow_warns_elsewhere_but_not_while_we_read(odd_exif):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with pytest.raises(UserWarning, match="EXIF"):
            Image.open(io.BytesIO(odd_exif)).getexif()
        assert read_image(io.BytesIO(odd_exif)).shape == (8, 8, 3)
        assert warnings.filters == before
        with pytest.raises(UserWarning, match="EXIF"):
            Image.open(io.BytesIO(odd_exif)).getexif()


def test_threads_that_read_at_the_same_time_are_all_silent_and_leave_the_filters_as_they_were(odd_exif):
    barrier = threading.Barrier(4)

    def read(_: int) -> None:
        barrier.wait()
        for _ in range(50):
            read_image(io.BytesIO(odd_exif))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(read, range(4)))  # raises what a thread raised
        assert warnings.filters == before


def test_a_warning_that_was_shown_once_is_not_shown_again_after_reading(odd_exif):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(2):
            warnings.warn("once", RuntimeWarning, stacklevel=1)
            read_image(io.BytesIO(odd_exif))
    assert [str(w.message) for w in shown] == ["once"]
