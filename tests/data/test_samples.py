"""The embedded avatars: complete, labeled, balanced, and what the script beside them draws."""

from __future__ import annotations

import io
import json
import zipfile
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from stylegan.data.samples import avatars, make_avatars
from stylegan.errors import ConfigError, MissingExtra, OutputError

EXTRA = ("dicebear", "dicebear_styles", "resvg_py")
needs_extra = pytest.mark.skipif(
    not all(find_spec(module) for module in EXTRA),
    reason="drawing avatars needs the extra: pip install 'stylegan[samples]'",
)


@pytest.fixture(scope="module")
def data():
    """The zip, read once: names in stored order, images [1000, 64, 64, 3] by name, and the index."""
    with zipfile.ZipFile(avatars()) as stored:
        entries = stored.infolist()
        names = [entry.filename for entry in entries if entry.filename.endswith(".png")]
        images = {name: Image.open(io.BytesIO(stored.read(name))) for name in names}
        return SimpleNamespace(
            entries=entries, names=names, images=images, index=json.loads(stored.read("dataset.json"))
        )


def test_embedded_avatars_are_under_4_megabytes():
    assert avatars().stat().st_size < 4_000_000


def test_images_are_stored_uncompressed_and_named_in_order(data):
    assert {entry.compress_type for entry in data.entries} == {zipfile.ZIP_STORED}
    assert data.names == [f"00000/img{i:08d}.png" for i in range(1000)]


def test_every_image_is_rgb_and_64_pixels_square(data):
    assert {(p.mode, p.size) for p in data.images.values()} == {("RGB", (64, 64))}
    for image in data.images.values():
        image.load()  # checks the checksums too


def test_no_two_images_are_equal(data):
    assert len({image.tobytes() for image in data.images.values()}) > 990


def test_every_image_has_a_label_as_wide_as_the_label_names_and_its_attributes(data):
    assert [name for name, _ in data.index["labels"]] == data.names
    assert {len(label) for _, label in data.index["labels"]} == {len(data.index["label_names"])}
    assert list(data.index["attributes"]) == data.names


def test_every_label_is_true_for_5_to_95_percent(data):
    labels = np.array([label for _, label in data.index["labels"]])
    assert set(np.unique(labels)) == {0, 1}
    share = dict(zip(data.index["label_names"], labels.mean(axis=0), strict=True))
    assert {name: s for name, s in share.items() if not 0.05 <= s <= 0.95} == {}


def test_origin_and_licence_are_stated(data):
    assert "Pablo Stanley" in data.index["origin"]
    assert data.index["licence"].startswith("CC0-1.0")
    assert "CC0 1.0" in avatars().with_name("LICENCE.md").read_text("utf-8")


def test_attributes_are_a_pure_function_of_seed_and_index(data):
    for i in (0, 7, 999):
        assert vars(make_avatars.draw_face(0, i)) == data.index["attributes"][data.names[i]]
    assert make_avatars.draw_face(1, 7) != make_avatars.draw_face(0, 7)


def test_our_png_is_read_back_pixel_for_pixel():
    pixels = np.random.RandomState(0).randint(0, 256, (5, 3, 3), dtype=np.uint8)
    read = Image.open(io.BytesIO(make_avatars.encode_png(Image.fromarray(pixels))))
    assert read.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(read), pixels)


@needs_extra
def test_redrawing_a_image_gives_the_same_pixels(data):
    for i in (0, 17, 500, 999):
        redrawn = np.asarray(make_avatars.draw_image(make_avatars.draw_face(0, i), 64), dtype=int)
        stored = np.asarray(data.images[data.names[i]], dtype=int)
        assert np.abs(redrawn - stored).max() <= 1  # another processor may round the other way


@needs_extra
def test_the_same_command_writes_the_same_bytes(tmp_path):
    for name in ("a.zip", "b.zip"):
        make_avatars.make_avatars(count=3, seed=5, resolution=16, dest=tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"]


@needs_extra
def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*file/a\.zip: .*; choose another place"):
        make_avatars.make_avatars(count=1, seed=0, resolution=8, dest=tmp_path / "file" / "a.zip")


def test_a_count_below_one_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="count and resolution must be at least 1, got 0 and 64"):
        make_avatars.make_avatars(count=0, seed=0, resolution=64, dest=tmp_path / "a.zip")


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(make_avatars, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"needs dicebear\. Install it with: pip install 'stylegan\[samples\]'"):
        make_avatars.draw_image(make_avatars.draw_face(0, 0), 64)
