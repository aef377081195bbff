"""Bad and odd images and archives: exactly the good ones are used, and nothing they say is believed."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import subprocess
import sys
from functools import cache
from pathlib import Path

import hostile_archives
import hostile_images
import numpy as np
import pytest
from PIL import Image

from stylegan.data import prepare
from stylegan.images.read import read_image

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured as Linux shows it")

EXTRA_MB = 900  # an image of the largest size that is taken, as Pillow decodes it and as an array


def test_good_files_are_used_and_bad_ones_named_and_nothing_else_happens(tmp_path):
    images, archives = hostile_images.cases(), hostile_archives.cases()
    sources = make_sources(tmp_path, images, archives)
    before = everything(tmp_path)
    outcomes = prepare_in_a_process_of_its_own(sources, tmp_path)
    extra = {name: round(outcome["peak_mb"] - outcomes["plain"]["peak_mb"]) for name, outcome in outcomes.items()}
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(images)} images, {outcomes['images']['used']} of them good, +{extra['images']} MB; the largest "
        f"that is taken +{extra['large']} MB; {len(archives)} archives; {cpu.ru_utime + cpu.ru_stime:.1f} s"
    )
    assert len(images) >= 200
    assert len(archives) >= 30
    assert_only_good_images_are_used(outcomes["images"], images)
    assert_only_good_members_are_used(outcomes, archives)
    assert extra["images"] < 300
    assert max(extra.values()) < EXTRA_MB
    assert outcomes["large"]["used"] == 1
    usable = [case.name for case in archives if not case.error]
    sets = [f"out/{name}.made.zip" for name in ["plain", "images", "large", *usable]]
    assert changes(before, everything(tmp_path)) == sorted(["out", *sets])


def make_sources(root: Path, images: list, archives: list) -> list[Path]:
    sources = [root / "plain", root / "images", root / "large", *(root / case.name for case in archives)]
    for folder in [*sources[:3], root / "home"]:
        folder.mkdir()
    hostile_images.photo(width=16, height=16).save(root / "plain/a.png")
    hostile_images.write(root / "images", images)
    (root / "large/a.png").write_bytes(hostile_images.large())
    for case in archives:
        (root / case.name).write_bytes(case.content)
    return sources


def prepare_in_a_process_of_its_own(sources: list[Path], root: Path) -> dict:
    child = subprocess.run(
        [sys.executable, Path(__file__).with_name("hostile_run.py"), *sources],
        cwd=root,
        env={**os.environ, "HOME": str(root / "home"), "TMPDIR": str(root / "home")},
        capture_output=True,
        timeout=600,  # ten seconds are enough, so this hangs
        check=True,
    )
    return json.loads(child.stdout)


def everything(root: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for folder, subfolders, files in os.walk(root):
        for name in subfolders + files:
            info = os.lstat(os.path.join(folder, name))
            found[os.path.relpath(os.path.join(folder, name), root)] = (info.st_mode, info.st_size, info.st_mtime_ns)
    return found


def changes(before: dict, after: dict) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def assert_only_good_images_are_used(outcome: dict, images: list) -> None:
    assert outcome["error"] is None
    bad = {case.name: case.reason for case in images if case.reason}
    good = {case.name for case in images if not case.reason} - hostile_images.NO_FILES
    assert_left_out(outcome["left_out"], bad, "images")
    assert outcome["used"] == len(good | hostile_images.FOUND_THROUGH_LINKS)


def assert_only_good_members_are_used(outcomes: dict, archives: list) -> None:
    for case in archives:
        outcome = outcomes[case.name]
        if case.error or outcome["error"]:
            assert re.search(rf"^DataError: .*({case.error})", outcome["error"] or ""), (case.name, outcome)
            assert outcome["error"].count("\n") == 0
        else:
            assert outcome["used"] == case.used, case.name
            assert_left_out(outcome["left_out"], case.left_out, case.name)


def assert_left_out(found: list[list[str]], expected: dict[str, str], where: str) -> None:
    assert sorted(name for name, _ in found) == sorted(expected), where
    wrong = {name: reason for name, reason in found if not re.match(expected[name], reason)}
    assert not wrong, where


# pixels


def content(name: str) -> bytes:
    return contents(name.split("/")[0])[name]


@cache
def contents(group: str) -> dict[str, bytes]:
    return {f"{group}/{case.name}": case.make for case in getattr(hostile_images, group)()}


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif"])
def test_all_eight_orientations_are_turned_upright(extension):
    for number in range(1, 9):
        img = read_image(io.BytesIO(content(f"orientations/{number}.{extension}")))
        assert np.abs(img.astype(int) - hostile_images.SCENE).mean() < (12 if extension == "jpg" else 0.5), number


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("png_kinds/color0_16bit_interlace0.png", 0xF0),
        ("png_kinds/color2_16bit_interlace1.png", 0xF0),
        ("png_kinds/color4_16bit_interlace0.png", 0xF0),
        ("png_kinds/color6_16bit_interlace1.png", 0xF0),
        ("tiff_kinds/rgb16_little_endian.tiff", 0x80),
        ("tiff_kinds/rgb16_big_endian.tiff", 0x80),
        ("tiff_kinds/gray16_little_endian.tiff", 0x80),
        ("tiff_kinds/gray16_big_endian.tiff", 0x80),
        ("tiff_kinds/I16.tif", round(40000 / 257)),
        ("tiff_kinds/gray16_white_is_zero.tif", 255),
        ("tiff_kinds/gray12.tif", 255),
        ("other_modes/gray16.pgm", 0x80),
        ("other_modes/gray10.pgm", round(511 / 1023 * 255)),
        ("other_modes/rgb16.ppm", 0x80),
    ],
)
def test_more_than_eight_bits_are_scaled_and_not_clipped(name, value):
    img = read_image(io.BytesIO(content(name)))
    assert (img == value).all(), np.unique(img)


def test_alpha_is_kept_only_when_asked(tmp_path):
    names = [name for name in contents("png_kinds") if name.startswith("png_kinds/color6")]
    names += ["other_modes/RGBA.bmp", "other_modes/transparent.gif", "tiff_kinds/LA.tif"]
    for name in names:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name.replace("/", "_")).write_bytes(content(name))
    for alpha, channels in ((False, 3), (True, 4)):
        dest = tmp_path / f"out{channels}"
        report = prepare(tmp_path / "in", dest, resolution=16, transform="center-crop", alpha=alpha)
        assert (report.channels, report.used) == (channels, len(names))
        assert {len(Image.open(path).getbands()) for path in dest.rglob("*.png")} == {channels}


def test_a_damaged_checksum_of_pixels_is_seen():
    """Pillow alone would take them."""
    damaged = content("png_damage/crc_IDAT.png")
    Image.open(io.BytesIO(damaged)).load()
    with pytest.raises(Exception, match="^it cannot be read .*bad header checksum"):
        read_image(io.BytesIO(damaged))
