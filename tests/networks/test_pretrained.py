"""Loading of trained weights: the expected file only, strictly, and folded without a change of the function."""

import hashlib

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from stylegan.errors import CheckpointError
from stylegan.networks.pretrained import fold_normalization, load_pretrained


def network(channels=4) -> nn.Sequential:
    inner = nn.Sequential(nn.Conv2d(channels, 5, 1, bias=False), nn.BatchNorm2d(5), nn.ReLU6())
    return nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), inner)


def trained(**changes) -> nn.Sequential:
    """The network with weights and running statistics like those of a trained one."""
    torch.manual_seed(0)
    net = network(**changes)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.uniform_(0.5, 2)
    return net.eval()


def saved(net, path):
    torch.save(net.state_dict(), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_folded_network_computes_what_the_network_with_batch_norm_computes(tmp_path):
    net, x = trained(), torch.randn(2, 3, 8, 8)
    expected = net(x)
    loaded = load_pretrained(network, tmp_path / "w.pth", sha256=saved(net, tmp_path / "w.pth"), package="weights 1.0")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert_close(loaded(x), expected)


def test_batch_norm_that_follows_no_convolution_stays(tmp_path):
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)).eval()
    fold_normalization(net)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in net) == 2


def test_another_file_is_refused(tmp_path):
    saved(trained(), tmp_path / "w.pth")
    with pytest.raises(CheckpointError) as error:
        load_pretrained(network, tmp_path / "w.pth", sha256="0123456789", package="weights 1.0")
    found = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()[:8]
    assert str(error.value) == (
        f"{tmp_path}/w.pth has SHA-256 {found}..., expected 01234567...: its features would differ; "
        "install weights 1.0 again."
    )


def test_names_and_shapes_must_all_agree(tmp_path):
    digest = saved(trained(channels=6), tmp_path / "w.pth")
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_pretrained(network, tmp_path / "w.pth", sha256=digest, package="weights 1.0")
