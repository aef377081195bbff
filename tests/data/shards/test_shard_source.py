from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from stylegan.data import open_dataset, prepare
from stylegan.data.sources import open_source
from stylegan.errors import DataError


@pytest.fixture
def shards(tmp_path):
    """Seven images of two classes in three shards; image i is all 10 * i."""
    for i in range(7):
        path = tmp_path / f"in/{'ab'[i % 2]}/{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 10 * i, np.uint8)).save(path)
    prepare(tmp_path / "in", tmp_path / "faces", shards=3)
    return tmp_path / "faces"


@pytest.mark.parametrize("of", ["", "/", "/index.json"])
def test_shards_are_a_source_with_their_labels_and_names(shards, tmp_path, of):
    report = prepare(f"{shards}{of}", tmp_path / "again.zip")
    assert (report.used, report.class_names, report.left_out) == (7, ("a", "b"), ())
    dataset = open_dataset(tmp_path / "again.zip", use_labels=True, cache=tmp_path / "cache")
    brightness = dataset.images(range(7))[:, 0, 0, 0].tolist()
    assert sorted(brightness) == [0, 10, 20, 30, 40, 50, 60]
    assert dataset.labels(range(7)).argmax(1).tolist() == [value // 10 % 2 for value in brightness]


def test_shards_behind_a_url_are_a_source(shards, tmp_path):
    pytest.importorskip("fsspec")
    with open_source(f"file://{shards}") as there, open_source(shards) as here:
        assert there.names == here.names
        assert there.labels() == here.labels()
        assert all((there.image(name) == here.image(name)).all() for name in here.names)


def test_the_index_of_shards_can_be_opened_as_a_data_set(shards, tmp_path):
    dataset = open_dataset(shards / "index.json", use_labels=True, cache=tmp_path / "cache")
    assert (len(dataset), dataset.name, dataset.class_names) == (7, "faces", ["a", "b"])


def test_a_missing_shard_gets_a_sentence(shards):
    (shards / "000001.tar").unlink()
    with pytest.raises(DataError, match=r"000001.tar"):
        open_source(shards)


def test_shards_that_do_not_fit_their_index_get_a_sentence(shards):
    (shards / "000001.tar").write_bytes((shards / "000000.tar").read_bytes())
    with pytest.raises(DataError, match=r"hold 4 images where index.json lists 7; write the shards again"):
        open_source(shards)


def test_an_index_of_other_tools_is_a_file_like_any_other(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "in/a.png")
    (tmp_path / "in/index.json").write_text(json.dumps({"pages": []}))
    assert open_source(tmp_path / "in").names == ["a.png"]


def test_the_url_of_an_archive_gets_a_sentence():
    with pytest.raises(DataError, match=r"only shards are read from URLs; download it, then give its path"):
        open_dataset("https://host.invalid/faces.zip")
