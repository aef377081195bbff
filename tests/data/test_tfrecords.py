from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from stylegan.data import prepare
from stylegan.data.sources import open_source
from stylegan.errors import DataError


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(img: np.ndarray, *, packed: bool = True) -> bytes:
    """A serialized `tf.train.Example` with the `shape` and `data` of an image, uint8 [C, H, W]."""
    sizes = [varint(size) for size in img.shape]
    shape = field(1, b"".join(sizes)) if packed else b"".join(b"\x08" + size for size in sizes)
    features = {b"shape": field(3, shape), b"data": field(1, field(1, img.tobytes()))}
    return field(1, b"".join(field(1, field(1, name) + field(2, value)) for name, value in features.items()))


def write(path: Path, records: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(struct.pack("<Q", len(r)) + b"crc4" + r + b"crc4" for r in records))
    return path


def images(n: int, channels: int = 3, side: int = 8) -> list[np.ndarray]:
    return list(np.random.RandomState(side).randint(0, 256, (n, channels, side, side)).astype(np.uint8))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_records_hold_the_images_in_their_order(tmp_path, packed, channels):
    expected = images(3, channels)
    with open_source(write(tmp_path / "a-r03.tfrecords", [example(x, packed=packed) for x in expected])) as source:
        assert len(source.names) == 3
        assert (source.header(source.names[1]).width, source.header(source.names[1]).channels) == (8, channels)
        for name, img in zip(source.names, expected, strict=True):
            assert (source.image(name).transpose(2, 0, 1) == img).all()


def test_a_folder_gives_the_largest_resolution_with_its_labels(tmp_path):
    for level in (2, 3):
        write(tmp_path / f"in/faces-r{level:02d}.tfrecords", [example(x) for x in images(4, side=2**level)])
    np.save(tmp_path / "labels.npy", np.eye(3, dtype=np.float32)[[2, 0, 1, 0]])
    (tmp_path / "labels.npy").rename(tmp_path / "in/faces-rxx.labels")
    report = prepare(tmp_path / "in", tmp_path / "out.zip")
    assert (report.used, report.resolution, report.label_dim) == (4, 8, 3)
    with open_source(tmp_path / "out.zip") as source:
        assert list(source.labels().by_name.values()) == [2, 0, 1, 0]


@pytest.mark.parametrize("rows", [[[0.5, 1], [0, 0]], [[1, 1], [0, 1]], [[0, 0], [0, 1]]])
def test_rows_that_are_not_one_hot_stay_vectors(tmp_path, rows):
    path = write(tmp_path / "a-r03.tfrecords", [example(x) for x in images(2)])
    np.save(tmp_path / "labels.npy", np.array(rows, np.float32))
    (tmp_path / "labels.npy").rename(tmp_path / "a-rxx.labels")
    assert list(open_source(path).labels().by_name.values()) == rows
    (tmp_path / "a-rxx.labels").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a-rxx.labels is damaged"):
        open_source(path).labels()


def test_any_cut_or_damage_of_a_record_is_an_error_of_ours(tmp_path):
    content = write(tmp_path / "a-r03.tfrecords", [example(x) for x in images(2)]).read_bytes()
    random = np.random.RandomState(0)
    for cut in (1, 5, 30, len(content) // 2 + 3, len(content) - 1):
        (tmp_path / "a-r03.tfrecords").write_bytes(content[:cut])
        with pytest.raises(DataError, match=r"truncated or not a TFRecord file"):
            open_source(tmp_path / "a-r03.tfrecords")
    for _ in range(200):
        damaged = bytearray(content)
        damaged[random.randint(12, 50)] = random.randint(256)
        (tmp_path / "a-r03.tfrecords").write_bytes(damaged)
        source = open_source(tmp_path / "a-r03.tfrecords")
        with suppress(DataError):
            assert source.image(source.names[0]).dtype == np.uint8


def test_records_of_another_content_get_a_sentence(tmp_path):
    encoded = field(1, field(1, field(1, b"image/encoded") + field(2, field(1, field(1, b"png")))))
    source = open_source(write(tmp_path / "a.tfrecords", [encoded]))
    with pytest.raises(DataError, match="its record holds image/encoded, expected shape and data"):
        source.image("00000000")
