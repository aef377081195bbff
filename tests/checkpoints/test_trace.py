"""The account of reading says where each tensor of a foreign file went."""

import pytest
import torch
from foreign_files import rosinality_generator, tensorflow_networks
from foreign_pickles import dumps, torch_save
from golden import fill
from tiny_generator import tiny_generator

import stylegan
from stylegan.checkpoints.trace import read_accounts, trace
from stylegan.networks.stylegan2 import Discriminator


def test_transposed_mirrored_and_shifted_tensors_are_found_again():
    G = tiny_generator()
    own = G.state_dict()
    source = {
        "Dense0/weight": own["mapping.fc0.weight"].T,
        "Conv0_up/weight": own["synthesis.b8.conv0.weight"].flip(2, 3).permute(2, 3, 1, 0),
        "mod_bias": own["synthesis.b8.conv0.affine.bias"] - 1,
        "mapping.w_avg": own["mapping.w_avg"],
        "ToRGB_lod7/weight": torch.ones(3, 5),
    }
    own["synthesis.b8.conv0.affine.bias"].copy_(source["mod_bias"] + 1)
    account = trace(source, G)
    assert account.kept == ["mapping.w_avg"]
    assert account.renamed == {
        "Dense0/weight": "mapping.fc0.weight",
        "Conv0_up/weight": "synthesis.b8.conv0.weight",
        "mod_bias": "synthesis.b8.conv0.affine.bias",
    }
    assert account.dropped == {"ToRGB_lod7/weight": "not part of the network here"}
    assert len(account.added) == len(own) - 4
    assert str(account) == f"1 kept, 3 renamed, 1 dropped, {len(own) - 4} added"


def test_equal_tensors_are_distinguished_by_their_names():
    G = tiny_generator()
    account = trace(G.state_dict(), G)  # its filters are all equal
    assert sorted(account.kept) == sorted(G.state_dict())
    assert str(account) == f"{len(G.state_dict())} kept"


@pytest.fixture
def rosinality_file(tmp_path):
    G = tiny_generator()
    content = {"g_ema": rosinality_generator(G), "latent_avg": G.mapping.w_avg, "g_optim": {"state": {}}}
    (tmp_path / "net.pt").write_bytes(torch_save(content))
    return tmp_path / "net.pt"


def test_a_file_of_rosinality_is_accounted_for(rosinality_file):
    (account,) = read_accounts(rosinality_file, stylegan.load_checkpoint(rosinality_file)).values()
    assert account.renamed["input.input"] == "synthesis.b4.const"
    assert account.renamed["latent_avg"] == "mapping.w_avg"
    assert all(name.endswith("kernel") for name in account.dropped)
    assert all(name.endswith("resample_filter") for name in account.added)


def test_a_state_dict_is_accounted_for_as_it_is(tmp_path):
    D = fill(Discriminator(0, 16, 3, channel_base=128, channel_max=16))
    torch.save(D.state_dict(), tmp_path / "d.pt")
    accounts = read_accounts(tmp_path / "d.pt", stylegan.load_checkpoint(tmp_path / "d.pt"))
    assert str(accounts["D"]) == f"{len(D.state_dict())} kept"


def test_a_tensorflow_file_of_one_network_is_accounted_for(tmp_path):
    G, D = tiny_generator(), fill(Discriminator(0, 16, 3, channel_base=128, channel_max=16))
    file = tmp_path / "net.pkl"
    file.write_bytes(dumps((None, None, tensorflow_networks(G, D, version=4)[2])))
    accounts = read_accounts(file, stylegan.load_checkpoint(file))
    assert list(accounts) == ["G_ema"]
    assert accounts["G_ema"].renamed["dlatent_avg"] == "mapping.w_avg"
