"""The mapping network and truncation."""

import pytest
import reference
import torch
from torch.testing import assert_close

from stylegan.errors import ShapeError
from stylegan.networks.mapping import MappingNetwork, truncate


def widths(network: MappingNetwork) -> list[list[int]]:
    return [list(p.shape) for name, p in network.named_parameters() if name.startswith("fc") and p.ndim == 2]


def test_w_is_the_composition_of_normalized_z_and_linear_layers():
    f = MappingNetwork(6, 0, 5, None, num_layers=2, layer_features=7)
    z = torch.randn(3, 6)
    x = reference.pixel_norm(z)
    for layer in (f.fc0, f.fc1):
        x = x @ layer.weight.t() * 0.01 / x.shape[1] ** 0.5 + 0.01 * layer.bias
        x = reference.bias_act(x, act="lrelu")
    assert_close(f(z), x)


def test_z_and_label_are_normalized_apart_and_z_comes_first():
    f = MappingNetwork(6, 3, 5, None, num_layers=1)
    z, c = torch.randn(4, 6), torch.eye(3)[[0, 1, 2, 0]]
    y = c @ f.embed.weight.t() / 3**0.5 + f.embed.bias
    x = torch.cat([reference.pixel_norm(z), reference.pixel_norm(y)], 1)
    x = x @ f.fc0.weight.t() * 0.01 / 11**0.5
    assert_close(f(z, c), reference.bias_act(x, act="lrelu"))


def test_the_length_of_z_does_not_matter():
    f, z = MappingNetwork(8, 0, 8, 2), torch.randn(3, 8)
    assert_close(f(10 * z), f(z))


def test_widths_follow_the_arguments():
    assert widths(MappingNetwork(6, 0, 5, 2, num_layers=3)) == [[5, 6], [5, 5], [5, 5]]
    assert widths(MappingNetwork(6, 2, 5, 2, num_layers=2, layer_features=7)) == [[7, 11], [5, 7]]
    assert widths(MappingNetwork(6, 2, 5, 2, num_layers=2, embed_features=1)) == [[5, 7], [5, 5]]
    assert widths(MappingNetwork(0, 2, 5, None, num_layers=1)) == [[5, 5]]
    assert widths(MappingNetwork(6, 0, 5, 2, embed_features=9, num_layers=1)) == [[5, 6]]


def test_state_dict_names_are_the_official_ones():
    assert set(MappingNetwork(4, 2, 4, 3, num_layers=2).state_dict()) == {
        "w_avg", "embed.weight", "embed.bias", "fc0.weight", "fc0.bias", "fc1.weight", "fc1.bias",
    }  # fmt: skip
    assert "w_avg" not in MappingNetwork(0, 2, 4, None).state_dict()


def test_every_layer_gets_the_same_w():
    ws = MappingNetwork(4, 0, 6, 5)(torch.randn(3, 4))
    assert ws.shape == (3, 5, 6)
    assert torch.equal(ws, ws[:, :1].expand(-1, 5, -1))


def test_output_is_float32_whatever_z_is():
    f = MappingNetwork(4, 2, 6, 5)
    assert f(torch.randn(3, 4).double(), torch.eye(2)[[0, 1, 1]].long()).dtype == torch.float32


def test_w_avg_moves_only_when_asked_and_by_its_decay():
    f, z = MappingNetwork(4, 0, 6, 5, w_avg_beta=0.9), torch.randn(16, 4)
    f.w_avg.copy_(torch.randn(6))
    before = f.w_avg.clone()
    f.train()(z)
    assert torch.equal(f.w_avg, before)
    w = f(z, update_emas=True)[:, 0]
    assert_close(f.w_avg, 0.9 * before + 0.1 * w.mean(0))
    assert not f.w_avg.requires_grad


def test_the_average_is_updated_before_truncation_uses_it():
    f, z = MappingNetwork(4, 0, 6, 2, w_avg_beta=0.5), torch.randn(8, 4)
    w = f(z)[:, 0]
    assert_close(f(z, truncation_psi=0.0, update_emas=True), (w.mean(0) / 2).expand(8, 2, 6))


def test_psi_zero_is_the_average_and_psi_one_changes_nothing():
    ws, w_avg = torch.randn(2, 4, 3), torch.randn(3)
    assert truncate(ws, w_avg, 1.0) is ws
    assert_close(truncate(ws, w_avg, 0.0), w_avg.expand(2, 4, 3))


@pytest.mark.parametrize("psi", [-1.0, 0.3, 0.7, 2.0])
def test_truncation_scales_the_distance_to_the_average(psi):
    ws, w_avg = torch.randn(2, 4, 3), torch.randn(3)
    assert_close(truncate(ws, w_avg, psi) - w_avg, psi * (ws - w_avg))


@pytest.mark.parametrize("cutoff", [0, 1, 3, 4, 9])
def test_layers_from_the_cutoff_on_are_left_alone(cutoff):
    ws, w_avg = torch.randn(2, 4, 3), torch.randn(3)
    y = truncate(ws, w_avg, 0.5, cutoff)
    assert y.shape == ws.shape
    assert torch.equal(y[:, cutoff:], ws[:, cutoff:])
    assert_close(y[:, :cutoff], truncate(ws, w_avg, 0.5)[:, :cutoff])


@pytest.mark.parametrize(
    ("c_dim", "z", "c", "text"),
    [
        (0, torch.zeros(2, 3), None, r"mapping takes z \[N, 4\], got \[2, 3\]\."),
        (0, torch.zeros(4), None, r"mapping takes z \[N, 4\], got \[4\]\."),
        (0, None, None, r"mapping takes z \[N, 4\], got None\."),
        (3, torch.zeros(2, 4), None, r"this network is conditional and takes labels c \[N, 3\], got None\."),
        (3, torch.zeros(2, 4), torch.zeros(2, 2), r"takes labels c \[N, 3\], got \[2, 2\]\."),
        (0, torch.zeros(2, 4), torch.zeros(2, 2), r"this network is unconditional and takes c=None, got \[2, 2\]\."),
    ],
)
def test_inputs_of_another_width_are_refused(c_dim, z, c, text):
    with pytest.raises(ShapeError, match=text):
        MappingNetwork(4, c_dim, 4, 2)(z, c)


def test_an_unconditional_network_takes_empty_labels():
    f, z = MappingNetwork(4, 0, 4, 2), torch.randn(2, 4)
    assert torch.equal(f(z, torch.zeros(2, 0)), f(z))
