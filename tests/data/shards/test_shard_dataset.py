from __future__ import annotations

import functools
import http.server
import json
import shutil
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest
import torch
from run_cli import run_cli
from tiny_run import tiny_config, tiny_images

from stylegan.data import Dataset, open_dataset, prepare
from stylegan.data.cache import write_npy
from stylegan.data.pixels import SourcePixels
from stylegan.data.shards.pixels import ShardPixels
from stylegan.data.shards.remote import read_bytes
from stylegan.errors import ConfigError, DataError, MissingExtra, OutputError
from stylegan.training.loop import train

SHARD_GB = 3 * 3 * 16 * 16 / 1e9  # decoded, 3 images of 16x16


@pytest.fixture(autouse=True)
def _isolated(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("stylegan.data.shards.remote._FIRST_PAUSE_S", 0.001)


@pytest.fixture
def shards(tmp_path) -> Path:
    """25 images in 9 shards."""
    prepare(tiny_images(tmp_path / "in", count=25), tmp_path / "faces", shards=3)
    return tmp_path / "faces"


@pytest.fixture
def served(shards):
    """The URL of the shards, and what was asked for."""
    pytest.importorskip("aiohttp")
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=shards.parent)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/faces", asked
        server.shutdown()


def same_images(a: Dataset, b: Dataset) -> bool:
    """Return whether two sets hold the same images in any order."""
    bags = [sorted(img.numpy().tobytes() for img in dataset.images(range(len(dataset)))) for dataset in (a, b)]
    return bags[0] == bags[1]


# the format


def test_shards_follow_the_webdataset_convention(tmp_path):
    prepare(tiny_images(tmp_path / "in", count=7, classes=2), tmp_path / "out", shards=3)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "000000.tar", "000001.tar", "000002.tar", "index.json", "labels.npy",
    ]  # fmt: skip
    with tarfile.open(tmp_path / "out/000001.tar") as tar:
        names = tar.getnames()
        assert names == [f"00000000{i}.{kind}" for i in (3, 4, 5) for kind in ("png", "cls")]
        classes = [int(tar.extractfile(name).read()) for name in names[1::2]]
    assert np.load(tmp_path / "out/labels.npy")[3:6].tolist() == classes
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert [shard["pictures"] for shard in index["shards"]] == [3, 3, 1]
    assert index["class_names"] == ["class0", "class1"]
    assert (index["resolution"], index["channels"]) == (16, 3)


def test_label_vectors_are_beside_the_images_as_json(tmp_path):
    tiny_images(tmp_path / "in", count=2)
    (tmp_path / "in/dataset.json").write_text('{"labels": [["000.png", [0.5, 1]], ["001.png", [2, 3]]]}')
    prepare(tmp_path / "in", tmp_path / "out", shards=3)
    with tarfile.open(tmp_path / "out/000000.tar") as tar:
        found = [json.loads(tar.extractfile(f"00000000{i}.json").read())["label"] for i in (0, 1)]
    assert sorted(found) == [[0.5, 1], [2, 3]]
    assert open_dataset(tmp_path / "out", use_labels=True).labels([0, 1]).tolist() == found


def test_the_same_images_give_the_same_shards(tmp_path, shards):
    prepare(tmp_path / "in", tmp_path / "again", shards=3)
    for file in shards.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_a_taken_or_impossible_destination_gets_a_sentence(tmp_path, shards):
    with pytest.raises(OutputError, match="exists already"):
        prepare(tmp_path / "in", shards, shards=3)
    with pytest.raises(ConfigError, match="in a folder; got 3, .*x.zip"):
        prepare(tmp_path / "in", tmp_path / "x.zip", shards=3)


def test_a_failed_run_leaves_nothing_behind(tmp_path):
    tiny_images(tmp_path / "in", count=5)
    (tmp_path / "in/zz.png").write_bytes(b"x")
    with pytest.raises(DataError):
        prepare(tmp_path / "in", tmp_path / "out", shards=2, strict=True)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


# reading


def test_shards_hold_the_images_of_the_folder_shuffled(tmp_path, shards):
    sharded, plain = open_dataset(shards), open_dataset(tmp_path / "in")
    assert (sharded.name, sharded.resolution, sharded.channels, len(sharded)) == ("faces", 16, 3, 25)
    assert same_images(sharded, plain)
    assert not torch.equal(sharded.images(range(25)), plain.images(range(25)))
    assert torch.equal(sharded.images([24, 0, 24])[1], sharded.image(0))


def test_labels_stay_with_their_images(tmp_path):
    prepare(tiny_images(tmp_path / "in", count=9, classes=3), tmp_path / "out", shards=2)
    sharded, plain = open_dataset(tmp_path / "out", use_labels=True), open_dataset(tmp_path / "in")
    prepare(tmp_path / "in", tmp_path / "out.zip")
    plain = open_dataset(tmp_path / "out.zip", use_labels=True)
    by_pixels = {plain.image(i).numpy().tobytes(): plain.label(i).tolist() for i in range(9)}
    assert sharded.label_dim == 3
    for i in range(9):
        assert sharded.label(i).tolist() == by_pixels[sharded.image(i).numpy().tobytes()]


def test_balanced_classes_come_equally_often_from_the_shards_in_use(tmp_path):
    tiny_images(tmp_path / "in", count=36, classes=3)
    for rare in sorted((tmp_path / "in/class2").iterdir())[4:]:
        rare.unlink()
    prepare(tmp_path / "in", tmp_path / "out", shards=7)  # 28 images in one window of four shards
    dataset = open_dataset(tmp_path / "out", use_labels=True, mirror=True)
    epoch = dataset.stream(1, balanced=True).indices(0, 54)
    assert dataset.labels(epoch).sum(0).tolist() == [18, 18, 18]
    assert dataset.labels(dataset.stream(1).indices(0, 54)).sum(0).tolist() != [18, 18, 18]
    assert len(np.unique(epoch[dataset.labels(epoch)[:, 2] == 1])) == 8  # all of the rare class, and mirrored
    shares = [dataset.stream(1, rank, 2, balanced=True).indices(0, 24) for rank in (0, 1)]
    assert not set(shares[0] % 28) & set(shares[1] % 28)
    with pytest.raises(DataError, match="has no class numbers, which balanced classes need"):
        _ = open_dataset(tmp_path / "out").class_members


def test_the_last_images_are_held_out(shards):
    whole, part = open_dataset(shards), open_dataset(shards, held_out=5, mirror=True, max_images=22)
    assert (len(part), len(part.held_out)) == (2 * 17, 5)
    assert torch.equal(part.held_out.images(range(5)), whole.images(range(17, 22)))
    assert sorted(part.stream(0).indices(0, 34).tolist()) == list(range(34))
    kept = {img.numpy().tobytes() for img in part.held_out.images(part.held_out.preview())}
    assert len(kept) == 5
    assert not kept & {img.numpy().tobytes() for img in part.images(range(34))}
    with pytest.raises(DataError, match="has 25 images, so 25 cannot be held out"):
        open_dataset(shards, held_out=25)


def test_any_number_of_workers_decodes_the_same_images(tmp_path, shards):
    once = open_dataset(shards, workers=1).images(range(25))
    shutil.rmtree(tmp_path / "cache")
    assert torch.equal(open_dataset(shards, workers=5).images(range(25)), once)


def test_mirror_and_subset(shards):
    whole, part = open_dataset(shards), open_dataset(shards, max_images=10, mirror=True)
    assert len(part) == 20
    assert torch.equal(part.images(range(10)), whole.images(range(10)))
    assert torch.equal(part.images(range(10, 20)), whole.images(range(10)).flip(3))
    assert sorted(part.stream(0).indices(0, 20).tolist()) == list(range(20))


def test_the_cache_never_outgrows_its_bound_and_the_images_stay_right(tmp_path, shards):
    bound = 8.5 * SHARD_GB  # of 9 shards
    every = open_dataset(shards).images(range(25))
    shutil.rmtree(tmp_path / "cache")
    dataset = open_dataset(shards, cache_gb=bound)
    for start in range(0, 150, 4):
        at = dataset.stream(7).indices(start, 4)
        assert torch.equal(dataset.images(at), every[at])
        held = sum(file.stat().st_size for file in (tmp_path / "cache").rglob("*") if file.is_file())
        assert held <= bound * 1e9 + 128 * 9  # and their headers


def test_a_reader_that_makes_room_leaves_others_what_they_have_just_brought(tmp_path, shards, monkeypatch):
    """Two processes of a run share a cache, or training and `--metrics` beside it."""
    every = open_dataset(shards).images(range(25))
    shutil.rmtree(tmp_path / "cache")
    reader, other = open_dataset(shards), open_dataset(shards)
    reader.pixels._cache.max_bytes = other.pixels._cache.max_bytes = 0  # each new shard drives out all others
    meanwhile = []

    def crowded(*arguments):
        write_npy(*arguments)
        if not meanwhile:
            meanwhile.append(pool.submit(other.image, 24))
            wait(meanwhile, timeout=0.3)

    monkeypatch.setattr("stylegan.data.cache.write_npy", crowded)
    with ThreadPoolExecutor(1) as pool:
        assert torch.equal(reader.image(0), every[0])
        assert torch.equal(meanwhile[0].result(), every[24])


def test_only_the_shards_of_two_windows_are_fetched(tmp_path, served):
    url, asked = served
    dataset = open_dataset(url)
    dataset.images(dataset.stream(0).indices(0, 4))
    dataset.pixels._ask(dataset._shard_order(0).shards(0)[-1]).result()  # what is fetched in the background
    assert len({path for path in asked if ".tar" in path}) <= 8


def test_too_small_a_cache_gets_a_sentence(shards):
    with pytest.raises(
        DataError, match="needs .* GB of cache for 8 shards, but cache_gb allows .*; allow more, or write"
    ):
        open_dataset(shards, cache_gb=3 * SHARD_GB)


def test_each_process_of_a_machine_needs_room_for_shards_of_its_own(shards):
    open_dataset(shards, cache_gb=8.5 * SHARD_GB)
    with pytest.raises(DataError, match="needs .* GB of cache for 9 shards of 2 processes, but cache_gb allows"):
        open_dataset(shards, cache_gb=8.1 * SHARD_GB, processes=2)


def test_shards_report_what_the_cache_will_take_up_to_its_bound(shards):
    dataset = open_dataset(shards)
    assert dataset.cache_bytes_needed() == 25 * 3 * 16 * 16
    assert open_dataset(shards, cache_gb=8.1 * SHARD_GB).cache_bytes_needed() == int(8.1 * SHARD_GB * 1e9)
    dataset.images(range(25))
    assert dataset.cache_bytes_needed() == 0


# URLs


def test_a_url_holds_what_the_folder_holds(tmp_path, shards, served):
    url, _ = served
    for address in (url, url + "/", url + "/index.json"):
        dataset = open_dataset(address)
        assert (dataset.path, dataset.name, dataset.fingerprint) == (url, "faces", open_dataset(shards).fingerprint)
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    assert torch.equal(dataset.images(range(25)), open_dataset(shards).images(range(25)))


def test_the_command_line_takes_a_url_as_it_is(served):
    result = run_cli("train", "--data", served[0], "--cfg", "tiny16", "--dry-run")
    assert json.loads(result.out)["data"]["path"] == served[0]
    result = run_cli("train", "--data", served[0] + "/nowhere", "--dry-run")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert "there is nothing at" in result.err


def test_any_file_system_of_fsspec_will_do(shards):
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").put(str(shards), "/bucket/faces", recursive=True)
    assert same_images(open_dataset("memory://bucket/faces"), open_dataset(shards))


def test_an_unknown_kind_of_url_says_what_to_install():
    with pytest.raises(MissingExtra, match=r"needs: pip install 'stylegan\[data\]'; others their own package"):
        open_dataset("nonsense://bucket/faces")


# faults


def test_a_network_that_fails_for_a_moment_is_tried_again(shards, monkeypatch):
    fails = iter([True, True, False] * 99)
    real = Path.read_bytes

    def flaky(path):
        if next(fails):
            raise ConnectionResetError("connection reset")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", flaky)
    assert open_dataset(shards).images([0]).shape == (1, 3, 16, 16)


def test_a_read_without_an_answer_is_a_failed_try(shards, monkeypatch):
    answers = iter([False, False, True])
    ended = threading.Event()

    def slow(url):
        if not next(answers):
            ended.wait(20)
        return b"content"

    monkeypatch.setattr("stylegan.data.shards.remote._read_through_fsspec", slow)
    monkeypatch.setattr("stylegan.data.shards.remote._TRY_S", 0.05)
    assert read_bytes("https://host/file") == b"content"
    answers = iter([False] * 4)
    with pytest.raises(DataError, match=r"https://host/file cannot be read \(TimeoutError\), tried 4 times"):
        read_bytes("https://host/file")
    ended.set()


def test_a_shard_that_stays_away_is_named_with_what_to_do(shards):
    dataset = open_dataset(shards)
    (shards / "000003.tar").unlink()
    with pytest.raises(DataError, match=r"there is nothing at .*000003.tar; check the path or URL"):
        dataset.images([9])
    assert dataset.images([0]).shape[0] == 1


def test_a_damaged_shard_is_named_and_can_be_repaired(shards):
    content = (shards / "000003.tar").read_bytes()
    (shards / "000003.tar").write_bytes(content[:700] + b"x" + content[701:])
    dataset = open_dataset(shards)
    with pytest.raises(DataError, match=r"000003.tar is damaged: its SHA-256 is not .*tried 4 times; fix the file"):
        dataset.images([9])
    (shards / "000003.tar").write_bytes(content)
    assert dataset.images([9]).shape[0] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format Input should be 1"),
        ({"pictures": 24}, "the images of the shards do not add up"),
        ({"shards": [{"name": "../../etc/passwd.tar", "pictures": 25, "sha256": ""}]}, "shards.0.name"),
        ({"channels": 2}, "channels Input should be 1, 3 or 4"),
    ],
)
def test_a_false_index_gets_a_sentence(shards, change, message):
    index = json.loads((shards / "index.json").read_text())
    (shards / "index.json").write_text(json.dumps({**index, **change}))
    with pytest.raises(DataError, match=f"index.json is not an index of shards .*{message}"):
        open_dataset(shards)


def test_missing_labels_get_a_sentence(shards):
    with pytest.raises(DataError, match="has no labels; shard images that have"):
        open_dataset(shards, use_labels=True)


def test_members_of_a_tar_that_are_no_images_are_never_unpacked(tmp_path, shards):
    """A tar with links, devices and names that lead outside, all beside the images."""
    import hashlib

    shard = shards / "000000.tar"
    with tarfile.open(shard, "a") as tar:
        for name, kind in (
            ("../../evil.png", tarfile.SYMTYPE),
            ("/dev/evil.png", tarfile.CHRTYPE),
            ("x", tarfile.DIRTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    index = json.loads((shards / "index.json").read_text())
    index["shards"][0]["sha256"] = hashlib.sha256(shard.read_bytes()).hexdigest()
    (shards / "index.json").write_text(json.dumps(index))
    assert same_images(open_dataset(shards), open_dataset(tmp_path / "in"))
    assert not list(tmp_path.rglob("*evil*"))


# training


def state_of(run: Path, snapshot: str) -> dict[str, bytes]:
    files = [f for f in (run / "snapshots" / snapshot).rglob("*") if f.suffix in (".safetensors", ".pt")]
    assert files
    return {file.name: file.read_bytes() for file in files}


def test_a_resumed_run_over_shards_equals_an_uninterrupted_one(tmp_path, shards, served):
    """The first over a path, the second stopped and resumed over a URL and an empty cache."""
    config = tiny_config(shards)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    list(train(config, tmp_path / "whole"))
    stop = threading.Event()
    over_url = config.model_copy(update={"data": config.data.model_copy(update={"path": served[0]})})
    stop.set()
    before = [tick.nimg for tick in train(over_url, tmp_path / "parts", stop=stop)]
    shutil.rmtree(tmp_path / "cache")
    after = [tick.nimg for tick in train(over_url, tmp_path / "parts")]
    assert (before, after) == ([8], [32, 64])
    last = max(path.name for path in (tmp_path / "whole/snapshots").iterdir())
    assert state_of(tmp_path / "whole", last) == state_of(tmp_path / "parts", last)


def test_a_run_that_waits_for_data_stops_with_a_snapshot(tmp_path, shards, monkeypatch):
    stop, asked = threading.Event(), []

    def stalling(location, sha256=None):
        asked.append(location)
        if len(asked) == 6:  # the index, and the first shard that the second step needs
            threading.Timer(1, stop.set).start()
            time.sleep(10)
            raise DataError("the run was not stopped")
        return read_bytes(location, sha256)

    monkeypatch.setattr("stylegan.data.shards.pixels.read_bytes", stalling)
    assert [tick.nimg for tick in train(tiny_config(shards), tmp_path, stop=stop)] == [8]
    assert state_of(tmp_path, "000000")


def test_shards_are_recognized_by_their_index(tmp_path, shards):
    assert isinstance(open_dataset(shards).pixels, ShardPixels)
    assert isinstance(open_dataset(tmp_path / "in").pixels, SourcePixels)
