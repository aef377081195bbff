"""Interrupted measurements: the next process continues them, and only with the same protocol."""

import pytest
import torch
from moments import Moments
from tiny_generator import tiny_generator
from tiny_run import tiny_images
from waves import Waves

from stylegan.data import open_dataset
from stylegan.metrics import passes
from stylegan.metrics.frechet import FeatureStatistics
from stylegan.metrics.passes import KeptPasses, Rows, Sums, read_pass, run_pass
from stylegan.metrics.registry import Request

SHA = "0" * 64


class Stopped(BaseException):
    """Ends a process as Ctrl-C does."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(passes, "EVERY_S", 0.0)
    monkeypatch.setattr(passes, "_COST", 0)
    monkeypatch.setattr(passes, "_BLOCK", 1)
    return tmp_path / "cache" / "passes"


@pytest.fixture
def dataset(tmp_path):
    data = open_dataset(tiny_images(tmp_path / "images", count=60))
    data.fill_cache()  # else `stopping` sees that too
    return data


class Brightness:
    """A distance of images, and features of them."""

    name, resize, sha256, feature_dim = "brightness", "none", None, 1

    def __call__(self, a, b):
        return (a - b).abs().mean([1, 2, 3])


def stopping(*, after, what):
    """A `Track` that ends the process after some batches, and lists what it has seen."""
    seen = []

    def track(batches, name, total):
        for batch in batches:
            if name.startswith(what) and len([other for other in seen if other.startswith(what)]) == after:
                raise Stopped
            seen.append(name)
            yield batch

    return track, seen


CASES = [
    ("fid", "Real images", Moments), ("fid", "Drawing", Moments), ("kid", "Real images", Moments),
    ("ppl_wend", "Moving", Brightness), ("eqt_int", "Moving", None),
]  # fmt: skip


@pytest.mark.parametrize(("key", "what", "detector"), CASES)
def test_a_measurement_continues_where_another_was_stopped(key, what, detector, dataset, cache, tmp_path, monkeypatch):
    G = Waves(stuck=0.1) if key == "eqt_int" else tiny_generator()
    request = Request(key=key, num=37, detector=detector and detector.name)

    def measure(track):
        network = detector and detector()
        return request.measure(G, dataset=dataset, detector=network, network_sha256=SHA, track=track)

    first, seen = stopping(after=2, what=what)
    with pytest.raises(Stopped):
        measure(first)
    assert list(cache.iterdir())
    second, rest = stopping(after=None, what=what)
    score = measure(second)
    assert rest[0].startswith(f"{what}, 2 of ")
    assert not list(cache.iterdir())
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "another"))
    whole, everything = stopping(after=None, what=what)
    assert score == measure(whole)
    assert len(everything) == len(seen) + len(rest)


def test_another_protocol_begins_again(dataset, cache):
    G = tiny_generator()

    def measure(num=48, sha=SHA, seed=0, after=2):
        track, seen = stopping(after=after, what="Drawing")
        with pytest.raises(Stopped):
            Request(key="fid", num=num).measure(
                G, dataset=dataset, detector=Moments(), network_sha256=sha, seed=seed, track=track
            )
        return [name for name in seen if name.startswith("Drawing")]

    assert measure() == ["Drawing"] * 2
    for change in ({"num": 49}, {"sha": "1" * 64}, {"seed": 1}):
        assert measure(**change) == ["Drawing"] * 2
    assert measure(after=0) == []
    assert len(list(cache.iterdir())) == 4


def test_metrics_of_one_network_draw_nothing_again_if_a_later_one_fails(dataset, cache):
    subject = {"dataset": dataset, "detector": Moments(), "network_sha256": SHA}

    def measure(track):
        with KeptPasses() as kept:
            for key in ("fid", "kid"):
                Request(key=key, num=40).measure(tiny_generator(), track=track, kept=kept, **subject)

    track, seen = stopping(after=5, what="Real images")  # the statistics take four batches, then come the features
    with pytest.raises(Stopped):
        measure(track)
    assert seen.count("Drawing") == 3
    track, seen = stopping(after=None, what="")
    measure(track)
    assert not [name for name in seen if name.startswith("Drawing")]
    assert not list(cache.iterdir())


def test_a_network_without_identity_keeps_nothing(dataset, cache):
    track, _ = stopping(after=1, what="Drawing")
    with pytest.raises(Stopped):
        Request(key="fid", num=40).measure(tiny_generator(), dataset=dataset, detector=Moments(), track=track)
    assert not list(cache.iterdir())  # those of the real images are done


def test_short_passes_write_nothing_and_damaged_files_begin_again(tmp_path, monkeypatch):
    file = tmp_path / "passes" / "x.safetensors"
    rows = [torch.full([2, 3], float(i)) for i in range(4)]
    monkeypatch.setattr(passes, "EVERY_S", 60.0)
    run_pass(Rows({}), rows, file)
    assert not file.exists()
    file.parent.mkdir()
    file.write_bytes(b"no tensors")
    assert read_pass(file) == read_pass(None) == {}


def test_rows_and_sums_are_those_of_all_batches_wherever_they_were_split(tmp_path, monkeypatch):
    monkeypatch.setattr(passes, "_BLOCK", 5)
    rows = list(torch.randn(30, 4, generator=torch.Generator().manual_seed(0)).split(2))
    expected = FeatureStatistics.of(torch.cat(rows))
    for stop in (0, 3, 15):
        for make in (Rows, lambda kept: Sums(4, kept)):
            file = tmp_path / f"{stop}.safetensors"
            file.unlink(missing_ok=True)
            run_pass(make({}), rows[:stop], file)
            found = make(read_pass(file))
            assert found.done <= stop
            run_pass(found, rows[found.done :], file)
            if isinstance(found, Rows):
                assert torch.equal(found.tensors()["x"], torch.cat(rows))
            else:
                assert found.total().n == 30
                torch.testing.assert_close(found.total().outer, expected.outer, rtol=1e-12, atol=0)
