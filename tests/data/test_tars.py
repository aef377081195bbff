from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan.data import open_dataset, prepare
from stylegan.data.sources import open_source
from stylegan.errors import DataError


def png(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


def write(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.txz", "w:xz")],
)
def test_a_tar_gives_its_images_in_any_compression_and_leaves_no_file(tmp_path, monkeypatch, name, mode):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    path = write(tmp_path / name, {"./b.png": png(2), "a/c.png": png(1), "notes.txt": b"x"}, mode)
    with open_source(path) as source:
        assert source.names == ["a/c.png", "b.png"]
        assert [source.image(image)[0, 0, 0] for image in source.names] == [1, 2]
        assert source.header("b.png").width == 8
        assert source.ignored == [("notes.txt", "it is not an image (.txt)")]
        assert source.labels() is None
        assert os.listdir(tmp_path / "tmp") == []


def test_class_folders_and_dataset_json_of_a_tar_become_labels(tmp_path):
    files = {"set/train/cat/1.png": png(1), "set/test/dog/2.png": png(2)}
    report = prepare(write(tmp_path / "a.tar", files), tmp_path / "a.zip")
    assert report.class_names == ("cat", "dog")
    listed = json.dumps({"labels": [["set/train/cat/1.png", 3], ["./set/test/dog/2.png", 0]]}).encode()
    with open_source(write(tmp_path / "b.tar", {**files, "dataset.json": listed})) as source:
        assert source.labels().by_name == {"set/train/cat/1.png": 3, "set/test/dog/2.png": 0}


def test_webdataset_labels_stay_with_their_images(tmp_path):
    files = {}
    for i in range(4):
        files |= {f"{i:03d}.png": png(i), f"{i:03d}.cls": b"%d\n" % (3 - i), f"{i:03d}.txt": b"a caption"}
    write(tmp_path / "set/0.tar", dict(list(files.items())[:6]))
    write(tmp_path / "set/1.tar", dict(list(files.items())[6:]))
    for path in (write(tmp_path / "one.tar", files), tmp_path / "set"):
        report = prepare(path, tmp_path / f"{path.stem}.zip")
        assert (report.used, report.label_dim, report.left_out) == (4, 4, ())
        dataset = open_dataset(tmp_path / f"{path.stem}.zip", use_labels=True, cache=tmp_path / "cache")
        assert dataset.images(range(4))[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
        assert dataset.labels(range(4)).argmax(1).tolist() == [3, 2, 1, 0]


def test_webdataset_label_vectors_are_those_of_the_json_files(tmp_path):
    files = {"a.x.png": png(1), "a.json": b'{"label": [0.5, 1]}', "b.png": png(2), "b.json": b'{"label": [2, 3]}'}
    with open_source(write(tmp_path / "a.tar", files)) as source:
        assert source.labels().by_name == {"a.x.png": [0.5, 1], "b.png": [2, 3]}
    captions = {"a.png": png(1), "a.json": b'{"caption": "x"}', "b.png": png(1), "b.json": b"no json"}
    with open_source(write(tmp_path / "b.tar", captions)) as source:
        assert source.labels() is None


def test_a_webdataset_label_that_is_no_number_gets_a_sentence(tmp_path):
    path = write(tmp_path / "a.tar", {"a.png": png(1), "a.cls": b"cat", "b.png": png(1)})
    with pytest.raises(DataError, match=r"a.cls of .*a.tar gives a.png the label 'cat', expected a class number"):
        prepare(path, tmp_path / "a.zip")
    path = write(tmp_path / "b.tar", {"a.png": png(1), "a.cls": b"1", "b.png": png(1)})
    with pytest.raises(DataError, match=r"has no label for 1 of 2 images, the first of them b.png"):
        prepare(path, tmp_path / "a.zip")


def test_hard_links_are_followed_and_other_links_are_not(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind, target in (
            ("a.png", tarfile.REGTYPE, ""),
            ("hard.png", tarfile.LNKTYPE, "a.png"),
            ("soft.png", tarfile.SYMTYPE, "/etc/passwd"),
            ("out.png", tarfile.LNKTYPE, "../../etc/passwd"),
            ("pipe.png", tarfile.FIFOTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            member.size = len(png(5)) if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(png(5)))
    with open_source(tmp_path / "a.tar") as source:
        assert source.names == ["a.png", "hard.png"]
        assert source.image("hard.png")[0, 0, 0] == 5
        assert [name for name, _ in source.ignored] == ["out.png", "pipe.png", "soft.png"]


def test_of_two_files_of_one_name_in_a_tar_the_last_one_is_used(tmp_path):
    write(tmp_path / "a.tar", {"a.png": png(1)})
    write(tmp_path / "a.tar", {"./a.png": png(2)}, "a")
    with open_source(tmp_path / "a.tar") as source:
        assert source.image("a.png")[0, 0, 0] == 2
        assert source.ignored == [("a.png", "the tar holds this name more than once; the last one is used")]


@pytest.mark.parametrize("at", [0.3, 0.6])
def test_a_tar_that_breaks_off_or_is_damaged_between_files_gets_a_sentence(tmp_path, at):
    path = write(tmp_path / "a.tar", {f"{i}.png": np.random.RandomState(i).bytes(3000) for i in range(5)})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content[:20_000]) * at)])
    with pytest.raises(DataError, match=r"a.tar is a damaged tar .*download it again"):
        open_source(path)
    header = 3 * (512 + 3072)
    path.write_bytes(content[:header] + b"x" * 512 + content[header + 512 :])
    with pytest.raises(DataError, match=r"a.tar is a damaged tar \(at byte 10752\); download it again"):
        open_source(path)


def test_damaged_compression_gets_a_sentence(tmp_path):
    path = write(tmp_path / "a.tar.gz", {f"{i}.png": np.random.RandomState(i).bytes(3000) for i in range(5)}, "w:gz")
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:3000] + bytes(3000) + content[6000:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a.tar.gz cannot be unpacked .*download it again"):
            open_source(path)
    path.write_bytes(b"\x1f\x8b" + bytes(10))
    with pytest.raises(DataError, match=r"a.tar.gz is truncated or not a tar; download it again"):
        open_source(path)


def test_a_decompression_bomb_is_refused(tmp_path):
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(write(tmp_path / "a.tar", {"a.png": png(1)}).read_bytes()[:-10_240])
        file.write(bytes(70 << 20))
    with pytest.raises(DataError, match="unpacks to far more than it has"):
        open_source(tmp_path / "a.tar.gz")
