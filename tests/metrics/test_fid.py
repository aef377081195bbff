"""The protocol of the score, with a feature network of six numbers."""

import json
from pathlib import Path

import pytest
import torch
from launch import Launch
from moments import Moments
from tiny_generator import tiny_generator
from tiny_run import tiny_images

from stylegan.data import open_dataset, prepare
from stylegan.errors import ConfigError
from stylegan.images.pixels import to_uint8
from stylegan.machine.processes import join
from stylegan.metrics.fid import fid, real_statistics
from stylegan.metrics.frechet import FeatureStatistics, frechet_distance


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "metrics"


@pytest.fixture
def dataset(tmp_path):
    return open_dataset(tiny_images(tmp_path / "images"))


def test_score_is_the_distance_of_all_reals_from_the_images_drawn(dataset):
    detector = Moments()
    score = fid(tiny_generator(), dataset, detector, num=37)
    reals, fakes = torch.stack(detector.seen[:24]), torch.stack(detector.seen[24:])
    assert torch.equal(reals, dataset.images(range(24)))
    assert len(fakes) == len(fakes.flatten(1).unique(dim=0)) == 37
    expected = frechet_distance(FeatureStatistics.of(Moments()(reals)), FeatureStatistics.of(Moments()(fakes)))
    assert score.value == pytest.approx(expected)
    assert (score.name, score.detector, score.resize) == ("fid37_moments", "moments", "none")
    assert (score.fakes, score.reals, score.seed, score.data) == (37, 24, 0, "images")
    assert score.data_fingerprint == f"{dataset.fingerprint}-{dataset.selection}"


def test_the_same_seed_gives_the_same_score_and_leaves_the_global_random_numbers_alone(dataset):
    G = tiny_generator()
    state = torch.get_rng_state()
    scores = [fid(G, dataset, Moments(), num=20, seed=seed).value for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]
    assert torch.equal(torch.get_rng_state(), state)


def recorded(G):
    """Record the inputs and outputs of both parts of the network from now on, call by call."""
    mapped, drawn = [], []
    G.mapping.register_forward_hook(lambda _, args, kwargs, ws: mapped.append((args, kwargs, ws)), with_kwargs=True)
    G.synthesis.register_forward_hook(lambda _, args, kwargs, img: drawn.append((args, kwargs, img)), with_kwargs=True)
    return mapped, drawn


def test_images_are_drawn_without_truncation_from_gaussian_z(dataset):
    G, detector = tiny_generator(), Moments()
    mapped, drawn = recorded(G)
    fid(G, dataset, detector, num=400)
    z = torch.cat([args[0] for args, _, _ in mapped])
    assert len(z) == 400
    assert abs(z.mean()) < 4 / z.numel() ** 0.5
    assert abs(z.square().mean() - 1) < 4 * (2 / z.numel()) ** 0.5
    assert len(z.unique(dim=0)) == 400
    ws = torch.cat([args[0] for args, _, _ in drawn])
    whole, truncated = (tiny_generator().mapping(z, None, truncation_psi=psi) for psi in (1.0, 0.7))
    torch.testing.assert_close(ws, whole)
    assert (ws - truncated).abs().mean() > 0.05
    assert torch.equal(torch.stack(detector.seen[24:]), to_uint8(torch.cat([img for _, _, img in drawn])))


def test_every_image_has_noise_of_its_own(dataset):
    """A network that maps all z to one w draws images that differ in their noise alone."""
    G, detector = tiny_generator(), Moments()
    G.mapping.register_forward_hook(lambda _, args, ws: G.mapping.w_avg.expand_as(ws))
    _, drawn = recorded(G)
    fid(G, dataset, detector, num=40)  # in batches of 16, 16 and 8
    assert all(kwargs == {"noise_mode": "random"} for _, kwargs, _ in drawn)
    images = torch.stack(detector.seen[24:])
    assert len(images.flatten(1).unique(dim=0)) == 40
    const = to_uint8(G.synthesis(drawn[0][0][0][:1], noise_mode="const"))
    assert not any(torch.equal(img, const[0]) for img in images)


def measure(rank: int, images: Path, folder: Path) -> None:
    """Twice, the second time with the statistics that were kept, and then with a rank that fails."""
    detector = Moments()
    with join() as world:
        dataset, G = open_dataset(images), tiny_generator()
        values = [fid(G, dataset, detector, num=53, world=world).value for _ in range(2)]
        seen = len(detector.seen)
        if rank == 1:
            detector.feature_dim = 7
        try:
            fid(G, dataset, detector, num=53, world=world)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
    (folder / f"{rank}.json").write_text(json.dumps({"values": values, "seen": seen, "reason": reason}))


def test_two_processes_get_the_score_of_one_and_share_its_work(dataset, tmp_path):
    launch = Launch(2, tmp_path, measure, dataset.path, tmp_path)
    expected = fid(tiny_generator(), dataset, Moments(), num=53, cache=tmp_path / "other cache").value
    assert launch.wait() == [0, 0], launch.output(0) + launch.output(1)
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    for rank in ranks:
        assert rank["values"] == pytest.approx([expected, expected], rel=1e-9)
    assert sum(rank["seen"] for rank in ranks) == 24 + 53 + 53
    assert ranks[0]["seen"] == 16 + 2 * 32  # of 24 and 53 images, in batches of 16
    sentence = "the feature network moments must return [16, 7], got [16, 6]; use another one."
    assert ranks[1]["reason"] == f"ShapeError: {sentence}"
    assert ranks[0]["reason"] == f"StyleGANError: rank 1 failed: {sentence}"


def test_shards_are_measured_like_the_images_in_them(dataset, tmp_path):
    prepare(dataset.path, tmp_path / "shards", shards=5)
    over_shards = open_dataset(tmp_path / "shards")
    scores = [fid(tiny_generator(), data, Moments(), num=20).value for data in (dataset, over_shards)]
    assert scores[0] == pytest.approx(scores[1])
    assert len(over_shards.pixels._asked) <= 2  # those behind are let go


def test_labels_are_those_of_real_images(tmp_path):
    prepare(tiny_images(tmp_path / "classes", classes=3), tmp_path / "classes.zip")
    dataset = open_dataset(tmp_path / "classes.zip", use_labels=True)
    G = tiny_generator(c_dim=3)
    labels = []
    G.mapping.register_forward_hook(lambda module, args, out: labels.append(args[1]))
    fid(G, dataset, Moments(), num=50)
    counts = torch.cat(labels).sum(0)
    assert counts.sum() == 50
    assert counts.min() > 5


def test_statistics_of_reals_are_computed_once_for_each_choice_of_images(dataset, cache):
    detector = Moments()
    first = real_statistics(dataset, detector)
    kept = real_statistics(open_dataset(dataset.path), detector)
    assert len(detector.seen) == 24
    assert kept.n == first.n == 24
    assert torch.equal(kept.outer, first.outer)
    for choice in ({"max_images": 10}, {"max_images": 10, "seed": 1}, {"mirror": True}):
        real_statistics(open_dataset(dataset.path, **choice), detector)
    assert len(detector.seen) == 24 + 10 + 10 + 48
    assert len(list(cache.iterdir())) == 4


def test_damaged_statistics_are_computed_again(dataset, cache):
    first = real_statistics(dataset, Moments())
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-8])
    assert torch.equal(real_statistics(dataset, Moments()).outer, first.outer)


def test_cache_that_cannot_be_written_is_only_slower(dataset, tmp_path):
    (tmp_path / "file").touch()
    with pytest.warns(RuntimeWarning, match="the statistics of images are not kept: cannot write"):
        assert real_statistics(dataset, Moments(), cache=tmp_path / "file").n == 24


def test_network_of_another_size_color_or_with_other_labels_is_refused(dataset, tmp_path):
    sentence = (
        "draws 16x16 images of 3 channels with 3 label values, but images has 16x16 of 3 channels with 0; measure"
    )
    with pytest.raises(ConfigError, match=sentence):
        fid(tiny_generator(c_dim=3), dataset, Moments())
    small = open_dataset(tiny_images(tmp_path / "small", size=8))
    with pytest.raises(ConfigError, match="draws 16x16 .* but small has 8x8 of 3 .*; measure with the data that it"):
        fid(tiny_generator(), small, Moments())
    with pytest.raises(ConfigError, match="draws 16x16 images of 1 channels .* but images has 16x16 of 3 channels"):
        fid(tiny_generator(img_channels=1), dataset, Moments())
    with pytest.raises(ConfigError, match="the number of images to draw must be at least 1, got 0."):
        fid(tiny_generator(), dataset, Moments(), num=0)


def test_progress_sees_every_batch(dataset):
    seen = {}

    def track(batches, what, total):
        for batch in batches:
            seen.setdefault((what, total), []).append(len(batch))
            yield batch

    dataset.fill_cache()  # else `track` sees that too
    fid(tiny_generator(), dataset, Moments(), num=33, track=track)
    assert seen == {("Real images", 2): [16, 8], ("Drawing", 3): [16, 16, 1]}
