"""Feature networks of TorchScript files."""

import hashlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch.testing import assert_close

from stylegan.errors import CheckpointError, ConfigError, ShapeError
from stylegan.metrics.registry import Request, parse_all
from stylegan.metrics.torchscript import TorchScriptNetwork, network_name, resize_legacy

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


class Plain(torch.nn.Module):
    """The mean of each channel and of each half."""

    def forward(self, x):
        return torch.cat([x.mean([2, 3]), x[:, :, ::2].mean([2, 3])], 1)


class Official(torch.nn.Module):
    """The calls of the official files."""

    def forward(
        self,
        x,
        return_features: bool = False,
        no_output_bias: bool = False,
        resize_images: bool = True,
        return_lpips: bool = False,
    ):
        if return_lpips:
            assert not resize_images
            return x.flatten(1) / 255
        if return_features:
            return x.mean([2, 3])
        assert no_output_bias
        return (x.mean([2, 3]) / 255).softmax(1)


class Flat(torch.nn.Module):
    def forward(self, x):
        return x.mean()


@pytest.fixture
def saved(tmp_path):
    def save(module, name="net.pt"):
        torch.jit.script(module).save(str(tmp_path / name))
        return tmp_path / name

    return save


def images(n=64, channels=3, size=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, size, size), generator=generator, dtype=torch.uint8)


def test_features_are_those_of_the_network_whatever_the_batch(saved):
    network, x = TorchScriptNetwork(saved(Plain())), images()
    assert network.feature_dim == 6
    assert_close(network(x), Plain()(x.float()))
    assert_close(torch.cat([network(x[i : i + 1]) for i in range(64)]), network(x))
    assert_close(network(x[:, :1]), network(x[:, :1].expand(-1, 3, -1, -1)))


def test_name_and_hash_are_those_of_the_file(saved):
    file = saved(Plain(), "Inception-2015-12-05.pt")
    digits = hashlib.sha256(file.read_bytes()).hexdigest()
    network = TorchScriptNetwork(file, resize="clean:16", value_range=(-1, 1))
    assert network.name == network_name(file) == f"inception20151205_{digits[:8]}"
    assert network.sha256 == digits
    assert network.resize == "clean:16, -1 to 1"


def test_pixels_have_the_range_and_size_that_the_network_takes(saved):
    x = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 8, 8)
    assert TorchScriptNetwork(saved(Plain()), value_range=(-1, 1))(x)[:, 0].tolist() == [-1, 1]
    checks = images(2, size=8)
    clean = F.interpolate(checks.float(), (4, 4), mode="bicubic", antialias=True).clamp(0, 255)
    assert_close(TorchScriptNetwork(saved(Plain()), resize="clean:4")(checks), Plain()(clean))


@pytest.mark.parametrize("side", [7, 16, 31, 50])
def test_both_resizes_are_those_of_pillow(side, saved):
    """Pillow's bicubic filter is antialiased; TensorFlow's is an affine transform whose origin is the corner."""
    x, file, factor = images(1, size=24), saved(torch.nn.Flatten()), 24 / side
    data = (factor, 0, (1 - factor) / 2, 0, factor, (1 - factor) / 2)
    theirs = {"clean": [], "legacy": []}
    for channel in x[0].float().numpy():  # in float, which Pillow neither rounds nor clamps between rows and columns
        image = Image.fromarray(channel)
        theirs["clean"].append(image.resize((side, side), Image.Resampling.BICUBIC))
        padded = Image.fromarray(np.pad(channel, (0, 1), mode="edge"))
        theirs["legacy"].append(padded.transform((side, side), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR))
    for how, channels in theirs.items():
        expected = torch.from_numpy(np.stack(channels)).clamp(0, 255)
        found = TorchScriptNetwork(file, resize=f"{how}:{side}")(x).view(3, side, side)
        assert_close(found, expected, atol=0.02, rtol=0, msg=lambda text, how=how: f"{how}: {text}")


def test_legacy_resize_samples_from_the_corner_without_antialiasing():
    x = images(1, size=8).float()
    assert_close(resize_legacy(x, 4), x[:, :, ::2, ::2], atol=1e-3, rtol=0)
    double = resize_legacy(x, 16)
    assert_close(double[:, :, ::2, ::2], x, atol=1e-3, rtol=0)
    assert_close(double[:, :, ::2, 1:-1:2], (x[..., 1:] + x[..., :-1]) / 2, atol=1e-3, rtol=0)
    assert_close(double[:, :, ::2, -1], x[..., -1], atol=1e-3, rtol=0)


def test_official_files_give_features_classes_and_a_distance(saved):
    network, x = TorchScriptNetwork(saved(Official())), images(2)
    assert (network.feature_dim, network.classes) == (3, 3)
    assert_close(network(x), x.float().mean([2, 3]))
    assert_close(network.probabilities(x).sum(1), torch.ones(2))
    a, b = torch.full([2, 1, 4, 4], -1.0), torch.full([2, 1, 4, 4], 1.0)
    assert_close(network.distance(a, b), torch.full([2], 3.0 * 16))


def test_wrong_files_and_networks_get_a_sentence(saved, tmp_path):
    with pytest.raises(CheckpointError, match="nowhere.pt cannot be read"):
        TorchScriptNetwork(tmp_path / "nowhere.pt")
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(CheckpointError, match="text.pt is not a TorchScript file .*; save the network with torch.jit"):
        TorchScriptNetwork(tmp_path / "text.pt")
    with pytest.raises(ConfigError, match=r"net_\w+ must return features \[N, F\] for N images, got \[\] for 2"):
        TorchScriptNetwork(saved(Flat()))
    with pytest.raises(ConfigError, match="`feature_resize` must be none, legacy:PX or clean:PX, .* got 'clean'"):
        TorchScriptNetwork(saved(Plain()), resize="clean")
    network = TorchScriptNetwork(saved(Plain()))
    assert network.classes == 0
    with pytest.raises(ConfigError, match="has no perceptual distance; use the VGG16 of the official tools"):
        network.distance(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    with pytest.raises(ShapeError, match=r"net_\w+ takes uint8 images \[N, 1 or 3, H, W\], got torch.float32"):
        network(torch.zeros(1, 3, 4, 4))
    linear = saved(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2)), "linear.pt")
    with pytest.raises(ConfigError, match="does not take images .*; choose another `feature_resize`"):
        TorchScriptNetwork(linear)
    assert TorchScriptNetwork(linear, resize="clean:4").feature_dim == 2


def test_official_names_need_networks_of_the_official_width(saved):
    network = TorchScriptNetwork(saved(Plain()))
    (official,) = parse_all("fid50k_full", network.name)
    with pytest.raises(ConfigError, match="takes 2,048 features, and this network has 6; ask for fid50k, or give ano"):
        official.load_detector(own=network)
    assert Request(key="fid", num=50_000, detector=network.name).load_detector(own=network) is network
