from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from test_tars import write

from stylegan.data import open_dataset, prepare
from stylegan.data.sources import open_source
from stylegan.errors import DataError

IMAGES = np.random.RandomState(0).randint(0, 256, (4, 3072)).astype(np.uint8)
LABELS = [1, 0, 2, 1]
NAMES = ["cat", "dog", "owl"]


def text(value: bytes) -> bytes:
    """The instruction of Python 2 for a string."""
    return b"T" + struct.pack("<I", len(value)) + value


def python2(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch as `cPickle` of Python 2 wrote those that are downloaded."""
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
    shape = b"M" + struct.pack("<H", len(images)) + b"M" + struct.pack("<H", 3072) + b"\x86"
    dtype = b"cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    state = b"(K\x01" + shape + dtype + b"\x89" + text(images.tobytes()) + b"tb"
    listed = b"]q\x06(" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}q\x00(U\x06labels" + listed + b"U\x04data" + array + state + b"u."


def batch(protocol: int | None, part: slice) -> bytes:
    if protocol is None:
        return python2(IMAGES[part], LABELS[part])
    return pickle.dumps({b"data": IMAGES[part].copy(), b"labels": LABELS[part]}, protocol=protocol)


def cifar10(path: Path, protocol: int | None) -> Path:
    parts = {f"data_batch_{k + 1}": batch(protocol, slice(2 * k, 2 * k + 2)) for k in range(2)}
    parts |= {
        "test_batch": batch(protocol, slice(0, 1)),
        "batches.meta": pickle.dumps({"label_names": NAMES}, protocol=0),
    }
    return write(path, {f"cifar-10-batches-py/{name}": content for name, content in parts.items()}, "w:gz")


@pytest.mark.parametrize("protocol", [None, 0, 1, 2, 3, 4, 5])
def test_batches_of_any_python_give_the_training_images_with_their_classes(tmp_path, protocol):
    report = prepare(cifar10(tmp_path / "cifar-10-python.tar.gz", protocol), tmp_path / "out.zip")
    assert (report.used, report.resolution, report.class_names) == (4, 32, ("cat", "dog", "owl"))
    dataset = open_dataset(tmp_path / "out.zip", use_labels=True, cache=tmp_path / "cache")
    assert (dataset.images(range(4)).numpy() == IMAGES.reshape(4, 3, 32, 32)).all()
    assert dataset.labels(range(4)).argmax(1).tolist() == LABELS


def test_cifar_100_has_its_fine_classes(tmp_path):
    content = {b"data": IMAGES, b"fine_labels": LABELS, b"coarse_labels": [0] * 4}
    files = {"train": pickle.dumps(content), "meta": pickle.dumps({b"fine_label_names": [b"cat", b"dog", b"owl"]})}
    path = write(tmp_path / "a.tar", {f"cifar-100-python/{name}": data for name, data in files.items()})
    with open_source(path) as source:
        assert list(source.labels().by_name.values()) == LABELS
        assert source.labels().class_names == NAMES


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Evil()),
        pickle.dumps({b"data": Evil(), b"labels": []}, protocol=0),
        b"cos\nsystem\n(S'touch pwned'\ntR.",
        b"(S'touch pwned'\nios\nsystem\n.",
        pickle.dumps({b"data": IMAGES.astype(np.float32), b"labels": LABELS}),
        pickle.dumps({b"data": IMAGES[:3], b"labels": LABELS}),
        pickle.dumps({b"labels": LABELS}),
        pickle.dumps([1, 2]),
        pickle.dumps({b"data": IMAGES, b"labels": LABELS})[:-40],
        b"",
        b"no pickle",
        b"(" * 10 + b"t.",
        b"h\x07.",
    ],
)
def test_other_pickles_are_refused_and_run_nothing(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "a.tar.gz", {"x/data_batch_1": content}, "w:gz")
    with pytest.raises(DataError, match=r"has pickles that differ from the batches of CIFAR .* could run code; save"):
        open_source(path)
    assert not Path("pwned").exists()


def test_any_damage_of_a_batch_is_an_error_of_ours_or_other_pixels(tmp_path):
    random, whole = np.random.RandomState(0), batch(None, slice(0, 4))
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[random.choice([*range(200), *range(len(whole) - 5, len(whole))])] = random.randint(256)
        path = write(tmp_path / "a.tar", {"data_batch_1": bytes(damaged)})
        try:
            source = open_source(path)
        except DataError:
            continue
        assert source.image(source.names[0]).shape == (32, 32, 3)


def test_a_folder_of_batches_comes_with_the_way_forward(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py/data_batch_1").write_bytes(batch(None, slice(0, 4)))
    with pytest.raises(DataError, match=r"holds the batches of CIFAR; give the tar that they came in"):
        open_source(tmp_path / "cifar-10-batches-py")
