"""`stylegan convert`: files of other tools, reports, and downloads after a question."""

import json
from functools import partial

import pytest
import torch
from file_server import RULES, serving
from run_cli import run, run_cli
from safetensors.torch import load_file

import stylegan
from stylegan.cli import convert as verb
from stylegan.files import download
from stylegan.models import published
from stylegan.models.published import Published


def test_a_checkpoint_becomes_a_file_and_a_report(network, tmp_path):
    out = run("convert", network, tmp_path / "net.pt", "--report", tmp_path / "report.json")
    first, *_, last = out.splitlines()
    assert first == "G_ema: 51 renamed, 5 dropped."
    assert last.startswith(f"Wrote {tmp_path / 'net.pt'} (rosinality, stylegan2) in ")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accounts"]["G_ema"]["renamed"]["synthesis.b4.const"] == "input.input"
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


def test_other_verbs_never_download_but_say_how(server):
    result = run_cli("generate", "--network", "tiny-16")
    assert result.code == 2
    assert "download it with `stylegan convert tiny-16 DEST` and use DEST." in result.err
    assert server.asked == []


def test_the_published_networks_are_listed():
    out = run("models", "--published")
    assert "internet-lions-512" in out
    assert "CC-BY-4.0" in out
