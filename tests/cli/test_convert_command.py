"""`stylegan convert`: files of other tools, reports, and downloads after a question."""

import json
from functools import partial

import pytest
import torch
from file_server import RULES, serving
from foreign_pickles import Persistent, dumps, module_state
from golden import fill
from run_cli import run, run_cli
from safetensors.torch import load_file
from tiny_generator import tiny_generator
from tiny_run import tiny_images

import stylegan
from stylegan.cli import convert as verb
from stylegan.files import download
from stylegan.models import published
from stylegan.models.published import Published
from stylegan.networks.stylegan2 import Discriminator


def test_a_checkpoint_becomes_a_file_and_a_report(network, tmp_path):
    out = run("convert", network, tmp_path / "net.pt", "--report", tmp_path / "report.json")
    first, *_, last = out.splitlines()
    assert first == "G_ema as written: 47 renamed, 9 dropped."
    assert last.startswith(f"Wrote {tmp_path / 'net.pt'} (rosinality, stylegan2) in ")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["written"]["G_ema"]["renamed"]["synthesis.b4.const"] == "input.input"
    assert "g_ema" in torch.load(tmp_path / "net.pt", weights_only=True)


def test_to_names_the_kind_and_nothing_is_replaced_silently(network, tmp_path):
    run("convert", network, tmp_path / "net.pt", "--to", "official")
    assert "G_ema" in torch.load(tmp_path / "net.pt", weights_only=True)
    result = run_cli("convert", network, tmp_path / "net.pt")
    assert result.code == 1
    assert "net.pt already exists; choose another name, or set --force to replace it." in result.err
    run("convert", network, tmp_path / "net.pt", "--force")
    assert "g_ema" in torch.load(tmp_path / "net.pt", weights_only=True)


def test_names_of_classes_travel(pets, tmp_path):
    run("convert", pets, tmp_path / "again")
    assert stylegan.load(tmp_path / "again", device="cpu").class_names == ["cat", "dog", "fish"]
    run("convert", pets, tmp_path / "net.safetensors")
    assert "G_ema.mapping.embed.weight" in load_file(tmp_path / "net.safetensors")


def test_wrong_usage_is_one_sentence_and_exits_with_2(network, tmp_path):
    result = run_cli("convert", network, tmp_path / "net.pkl")
    assert (result.code, "suffix that is not written" in result.err) == (2, True)
    result = run_cli("convert", tmp_path / "nowhere", tmp_path / "net")
    assert "does not exist; expected a checkpoint" in result.err


@pytest.fixture
def server(monkeypatch, tmp_path, network):
    """A server of a checkpoint as one file, under the name tiny-16 in the registry."""
    run("convert", network, tmp_path / "sent.pt")
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    with serving() as server:
        server.content = (tmp_path / "sent.pt").read_bytes()
        entry = Published(
            "tiny-16", server.url.replace(".pkl", ".pt"), "noise", 16, "stylegan2", "CC-BY-NC-4.0", None, None
        )
        monkeypatch.setattr(published, "published", lambda: {"tiny-16": entry})
        monkeypatch.setattr(verb, "fetch", partial(published.fetch, rules=RULES))
        monkeypatch.setattr(download, "size_of", partial(download.size_of, rules=RULES))
        yield server


def test_a_download_needs_a_yes_and_says_what_it_is_before(server, tmp_path):
    result = run_cli("convert", "tiny-16", tmp_path / "net")
    assert (result.code, "a download needs a yes; add --yes." in result.err) == (2, True)
    megabytes = len(server.content) / 1e6
    assert f"tiny-16: noise, 16 px, stylegan2, {megabytes:,.0f} MB\nFrom http://127.0.0.1:" in result.out
    assert "Licence of the weights: CC-BY-NC-4.0\n" in result.out
    assert not (tmp_path / "net").exists()
    assert server.asked == ["bytes=0-0"]


def test_a_downloaded_network_keeps_its_address_and_licence_and_is_not_downloaded_again(server, tmp_path):
    result = run_cli("convert", "tiny-16", tmp_path / "net", "--yes")
    assert result.code == 0, result.err
    checkpoint = stylegan.load_checkpoint(tmp_path / "net")
    assert (checkpoint.origin, checkpoint.licence) == (server.url.replace(".pkl", ".pt"), "CC-BY-NC-4.0")
    assert "Licence of the weights: CC-BY-NC-4.0. Origin: http://" in result.err
    requests = len(server.asked)
    run("convert", "tiny-16", tmp_path / "net.pt")
    assert len(server.asked) == requests
    assert torch.equal(stylegan.load(tmp_path / "net.pt", device="cpu").mapping.w_avg, checkpoint.G_ema.mapping.w_avg)


def test_a_folder_of_the_same_name_wins_over_a_published_network(server, tmp_path, network, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("convert", network, "tiny-16")
    run("convert", "tiny-16", "again")
    assert server.asked == []


def test_other_verbs_never_download_but_say_how(server):
    result = run_cli("generate", "--network", "tiny-16")
    assert result.code == 2
    assert "download tiny-16 with `stylegan convert` and choose the result." in result.err
    assert server.asked == []


def test_the_published_networks_are_listed():
    out = run("models", "--published")
    assert "internet-lions-512" in out
    assert "CC-BY-4.0" in out


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A pickle in the layout of NVIDIA's PyTorch code with all its networks."""
    G, D = tiny_generator(), fill(Discriminator(0, 16, 3, channel_base=128, channel_max=16))
    size = {"img_resolution": 16, "img_channels": 3, "channel_base": 128, "channel_max": 16}
    mapping = {"z_dim": 16, "w_dim": 16, "mapping_kwargs": {"num_layers": 2}}
    pipe = torch.nn.Module()
    pipe.register_buffer("p", torch.tensor(0.25))
    content = {
        "G": Persistent("Generator", module_state(G, kwargs={**mapping, "c_dim": 0, **size})),
        "D": Persistent("Discriminator", module_state(D, kwargs={"c_dim": 0, **size})),
        "G_ema": Persistent("Generator", module_state(G, kwargs={**mapping, "c_dim": 0, **size})),
        "augment_pipe": Persistent("AugmentPipe", module_state(pipe)),
        "training_set_kwargs": None,
    }
    path = tmp_path_factory.mktemp("foreign") / "network-snapshot-000200.pkl"
    path.write_bytes(dumps(content))
    return path


LICENCE = (
    "Licence of the weights: NVIDIA Source Code License (non-commercial). Origin: network-snapshot-000200.pkl, a file"
)


@pytest.mark.parametrize(
    "verb",
    [
        ("generate", "--seeds", "0-1", "--outdir", "OUT"),
        ("mix", "--rows", "0", "--cols", "1", "--styles", "0-1", "--outdir", "OUT"),
        ("interpolate", "--seeds", "0,1", "--frames", "2", "--dest", "OUT/loop.gif"),
    ],
    ids=lambda verb: verb[0],
)
def test_every_verb_that_draws_takes_a_foreign_file_and_names_its_licence_once(foreign, tmp_path, verb):
    result = run_cli(*(str(word).replace("OUT", str(tmp_path)) for word in verb), "--network", foreign)
    assert result.code == 0, result.err
    assert result.err.count(LICENCE) == 1
    assert any(tmp_path.iterdir())


def test_a_stylegan3_moves_and_is_measured_from_a_file_too(alias_free, tmp_path):
    file = tmp_path / "net.safetensors"
    run("convert", alias_free, file)
    run("move", "--network", file, "--frames", 2, "--dest", tmp_path / "loop.gif")
    assert "eqt4_frac" in run("metrics", "--network", file, "--metrics", "eqt4_frac", "--device", "cpu")


def test_the_images_of_a_foreign_file_are_those_of_its_conversion(foreign, tmp_path):
    out = run("convert", foreign, tmp_path / "net", "--report", tmp_path / "report.json")
    assert "G_ema as read: 56 kept.\n" in out
    assert list(json.loads((tmp_path / "report.json").read_text())["read"]) == ["G_ema", "G", "D"]
    for name, network in (("a", foreign), ("b", tmp_path / "net")):
        run("generate", "--network", network, "--seeds", "3", "--outdir", tmp_path / name)
    first, second = ((tmp_path / name / "seed0003.png").read_bytes() for name in "ab")
    assert first == second
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    assert config["licence"] == "NVIDIA Source Code License (non-commercial)"
    assert config["augment_p"] == 0.25


def test_info_prints_every_network_its_size_precision_and_licence(foreign):
    out = run("info", foreign)
    assert "licence: NVIDIA Source Code License (non-commercial)\n" in out
    assert "augmentation probability: 0.250\n" in out
    assert "G_ema, the averaged generator: 16x16, 3 channels; " in out
    assert "\nG, the generator in training: 16x16, 3 channels; " in out
    assert "\nD, the discriminator: 16x16, 3 channels; " in out
    assert "parameters, float32, reduced in the 4 highest resolutions\n" in out


def test_a_foreign_file_is_fine_tuned_with_its_discriminator_and_augmentation(foreign, tmp_path):
    arguments = ("--data", tiny_images(tmp_path / "images"), "--cfg", "tiny16", "--aug", "ada", "--device", "cpu")
    for form in ((), ("--transfer",)):
        result = run_cli("train", "--resume", foreign, *form, *arguments, "--dry-run")
        assert result.code == 0, result.err
        config = json.loads(result.out)
        assert config["generator"]["channel_base"] == 128
        assert config["transfer"]["licence"] == "NVIDIA Source Code License (non-commercial)"
        assert "D: carried over 18 of 18 tensors." in result.err
        assert "augmentation: starts with probability 0.250." in result.err
        assert result.err.count(LICENCE) == 1
