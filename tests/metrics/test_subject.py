"""Properties of all metrics: features, classes, folders of images, processes and the records of scores."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from launch import Launch
from moments import Moments
from PIL import Image
from tiny_generator import tiny_generator
from tiny_run import tiny_images

from stylegan.data import open_dataset, prepare
from stylegan.errors import ConfigError, NonFiniteError, ShapeError
from stylegan.images.pixels import to_float
from stylegan.machine.processes import join
from stylegan.metrics.features import DETECTORS, features_of
from stylegan.metrics.neighbors import nearest_pairs, neighbor_sheet
from stylegan.metrics.passes import KeptPasses
from stylegan.metrics.registry import kept_for, parse
from stylegan.metrics.subject import Subject

SHARED = ("fid", "kid", "mind", "precision", "recall", "density", "coverage", "authenticity", "ls_z", "ls_w",
          "dci_z", "dci_w", "dci_s")  # fmt: skip


class Classifier(Moments):
    """Returns probabilities of two classes too, by the mean of the red channel."""

    classes = 2

    def probabilities(self, images):
        red = self(images)[:, 0] / 255
        return torch.stack([red, 1 - red], 1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(DETECTORS, "moments", Classifier)
    return tmp_path / "cache" / "metrics"


@pytest.fixture
def classes(tmp_path):
    """Images of three classes, each darker than the one before."""
    rng = np.random.RandomState(0)
    for i in range(24):
        folder = tmp_path / "classes" / (("bright", "dim", "dark")[i % 3])
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.randint(0, 200, [16, 16, 3]) + 27 * (2 - i % 3)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:02d}.png")
    prepare(tmp_path / "classes", tmp_path / "classes.zip")
    return tmp_path / "classes.zip"


def measured(name, G, dataset, **more):
    return parse(name).measure(G, dataset=dataset, detector=Classifier(), **more)


def test_metrics_share_what_was_computed(classes):
    detector, dataset, kept = Classifier(), open_dataset(classes), KeptPasses()
    for name in ("fid20_moments", "kid20_moments", "precision20_moments", "coverage20_moments"):
        parse(name).measure(tiny_generator(), dataset=dataset, detector=detector, kept=kept)
    assert len(detector.seen) == 24 + 24 + 20  # statistics and features of the real images, and the generated ones
    for name in ("kid30_moments", "is30_moments"):
        parse(name).measure(tiny_generator(), dataset=dataset, detector=detector, kept=kept)
    assert len(detector.seen) == 68 + 30 + 30


def test_statistics_of_reals_come_from_their_features_if_a_later_metric_needs_these(classes):
    detector, dataset = Classifier(), open_dataset(classes)
    requests = [parse(name) for name in ("fid20_moments", "kid20_moments")]
    with kept_for(requests) as kept:
        scores = [r.measure(tiny_generator(), dataset=dataset, detector=detector, kept=kept) for r in requests]
    assert len(detector.seen) == 24 + 20
    alone = requests[0].measure(tiny_generator(), dataset=dataset, detector=detector)
    assert scores[0].value == pytest.approx(alone.value, rel=1e-9)
    assert not kept_for(requests[:1]).features


def test_features_of_reals_are_kept_in_the_cache_folder(classes, cache):
    dataset, detector = open_dataset(classes), Classifier()
    first = Subject(num=1, dataset=dataset, network=detector).real_features()
    again = Subject(num=1, dataset=open_dataset(classes), network=detector).real_features()
    assert torch.equal(first, again)
    assert torch.equal(first, Moments()(dataset.images(range(24))))
    assert len(detector.seen) == 24
    assert len(list(cache.iterdir())) == 1


def test_distance_by_class_is_that_of_each_class_alone(classes, tmp_path):
    dataset, G = open_dataset(classes, use_labels=True), tiny_generator(c_dim=3)
    score = measured("fid10_class_moments", G, dataset)
    values = score.details["classes"]
    assert list(values) == ["bright", "dark", "dim"]
    assert score.value == pytest.approx(np.mean(list(values.values())))
    labels = []
    G.mapping.register_forward_hook(lambda _, args, ws: labels.append(args[1]))
    measured("fid10_class_moments", G, dataset)
    assert torch.cat(labels)[:10].tolist() == [[1, 0, 0]] * 10
    assert torch.cat(labels)[20:].tolist() == [[0, 0, 1]] * 10


def test_a_network_without_classes_has_no_distance_by_class(classes):
    with pytest.raises(ConfigError, match="this network has no classes, and this metric measures each of them"):
        measured("fid8_class_moments", tiny_generator(), open_dataset(classes, use_labels=True))


def test_folders_of_images_are_compared_without_a_network(classes, tmp_path):
    reals = open_dataset(classes, use_labels=True)
    same = open_dataset(classes, use_labels=True)
    for name in ("fid24", "fid24_class", "mind24", "kid24", "precision24", "recall24", "density24", "coverage24"):
        score = measured(f"{name}_moments", None, reals, images=same)
        if name != "kid24":  # which is unbiased, so that it is below zero for equal sets
            assert score.value == pytest.approx(0 if name.startswith(("fid", "mind")) else 1, abs=1e-6)
        assert (score.fakes, score.reals, score.images, score.data) == (24, 24, "classes", "classes")
    assert measured("authenticity24_moments", None, reals, images=same).value == 0
    other = open_dataset(tiny_images(tmp_path / "other", count=30))
    assert measured("fid30_moments", None, reals, images=other).value > 1


def test_a_subset_of_a_folder_is_random_and_fixed_by_the_seed(tmp_path, classes):
    many = open_dataset(tiny_images(tmp_path / "many", count=30))
    subject = Subject(num=10, images=many, dataset=open_dataset(classes), network=Moments())
    chosen = subject.chosen_images().tolist()
    assert chosen == sorted(set(chosen))
    assert len(chosen) == 10
    assert chosen != replace(subject, seed=1).chosen_images().tolist()
    assert torch.equal(subject.fakes(), Moments()(many.images(chosen)))


def test_inception_score_is_that_of_the_probabilities(classes):
    score = measured("is40_moments", tiny_generator(), None)
    assert 1 <= score.value < 2
    assert score.reals is None
    assert set(score.details) == {"std", "splits"}
    with pytest.raises(ConfigError, match="the feature network moments has no classes"):
        parse("is40_moments").measure(tiny_generator(), detector=Moments())


def test_a_score_records_its_protocol(classes):
    record = measured("kid8_moments", tiny_generator(), open_dataset(classes), seed=5).protocol()
    assert record["versions"]["torch"] == torch.__version__
    expected = {"detector": "moments", "resize": "none", "quantization": "uint8", "fakes": 8, "reals": 24, "seed": 5}
    assert {key: record[key] for key in expected} == expected
    assert {"data", "data_fingerprint"} < set(record)


def test_attributes_of_latents_are_measured_on_labeled_data(classes):
    dataset = open_dataset(classes, use_labels=True)
    ls = measured("ls40_z_moments", tiny_generator(), dataset)
    assert 1 <= ls.value <= 8
    with pytest.raises(ConfigError, match="half of the images, 16, must be more than the 16 dimensions of w, or any"):
        measured("ls32_w_moments", tiny_generator(), dataset)
    assert set(ls.details["bits"]) == {"bright", "dark", "dim"}
    with pytest.raises(ConfigError, match=r"half of the images, 20, must be more than the \d+ dimensions of s, or any"):
        measured("ls40_s_moments", tiny_generator(), dataset)
    kept = KeptPasses()
    for space in "zws":
        score = measured(f"dci40_{space}_moments", tiny_generator(c_dim=3), dataset, kept=kept)
        assert 0 <= score.value <= 1
        assert set(score.details) == {"completeness", "informativeness"}
    (annotated,) = [value for key, value in kept.items() if key[0] == "annotated"]
    assert annotated.latents["s"].shape[0] == 40
    assert annotated.latents["s"].shape[1] > annotated.latents["w"].shape[1] == 16


def test_a_generator_that_memorizes_is_shown_beside_its_originals(classes):
    """A network that draws one real image with a little noise, and other images else."""
    dataset, G = open_dataset(classes), tiny_generator()
    original = to_float(dataset.images([7]))
    G.synthesis.register_forward_hook(lambda _, args, img: torch.cat([original, img[1:]]) if len(img) == 16 else img)
    request = parse("authenticity24_moments")
    subject = {"dataset": dataset, "detector": Moments()}
    score = request.measure(G, **subject)
    fake, real, ratio = nearest_pairs(score)[0]
    assert (fake, real) == (0, 7)
    assert ratio < 0.01
    sheet = neighbor_sheet(score, request.subject(G, **subject))
    assert sheet.shape == (3, 16 * 6, 16 * 8)
    assert (sheet[:, :16, :16].int() - sheet[:, :16, 16:32].int()).abs().max() <= 1
    assert torch.equal(sheet[:, :16, 16:32], dataset.image(7))


class Bad(Moments):
    def __init__(self, features):
        super().__init__()
        self.features = features

    def __call__(self, images):
        return self.features


def test_what_no_score_can_come_from_gets_a_sentence(classes, tmp_path):
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ShapeError, match=r"the feature network moments must return \[2, 6\], got \[2, 7\]; use"):
        features_of(images, Bad(torch.zeros(2, 7)))
    with pytest.raises(NonFiniteError, match="the feature network moments returned NaN or infinity, from which no"):
        features_of(images, Bad(torch.full([2, 6], torch.nan)))
    reals = open_dataset(classes)
    gray = open_dataset(tiny_images(tmp_path / "gray", channels=1, count=4))
    with pytest.raises(ConfigError, match="gray has 16x16 images of 1 channels, but classes has 16x16 of 3; make both"):
        measured("fid4_moments", None, reals, images=gray)
    rgba = open_dataset(tiny_images(tmp_path / "rgba", channels=4, count=4))
    with pytest.raises(ConfigError, match="a feature network takes gray or RGB images, got 4 channels; leave this"):
        measured("fid4_moments", None, rgba, images=rgba)
    with pytest.raises(ConfigError, match="gray holds 4 images, and 5 are to be measured; put a smaller number in"):
        measured("fid5_moments", None, gray, images=gray)
    with pytest.raises(ConfigError, match="this metric compares at least 2 generated images, got 1; use more."):
        measured("fid1_moments", tiny_generator(), reals)
    with pytest.raises(ConfigError, match="this metric compares at least 4 real images, got 3; use more."):
        measured("recall9_moments", tiny_generator(), open_dataset(classes, max_images=3))
    with pytest.raises(ConfigError, match="eqr4 measures a network, not a folder of images; leave it out"):
        parse("eqr4").measure(None, images=gray)


def measure_all(rank: int, data: Path, folder: Path) -> None:
    DETECTORS["moments"] = Classifier
    with join() as world:
        dataset, G = open_dataset(data, use_labels=True), tiny_generator(c_dim=3)
        values = values_of(G, dataset, world=world)
    (folder / f"{rank}.json").write_text(json.dumps(values))


def values_of(G, dataset, **more):
    names = [parse("fid20_class_moments"), parse("is20_moments")]
    names += [replace(names[0], key=key, num=37) for key in SHARED]
    kept = KeptPasses()
    return {r.name: r.measure(G, dataset=dataset, detector=Classifier(), kept=kept, **more).value for r in names}


def test_two_processes_get_the_scores_of_one(classes, tmp_path):
    launch = Launch(2, tmp_path, measure_all, classes, tmp_path)
    expected = values_of(tiny_generator(c_dim=3), open_dataset(classes, use_labels=True))
    assert launch.wait() == [0, 0], launch.output(0) + launch.output(1)
    for rank in range(2):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == pytest.approx(expected, rel=1e-9, abs=1e-12)
