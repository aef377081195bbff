"""Conversion: whole or not at all, nothing overwritten silently, and an account of every tensor."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from foreign_files import rosinality_discriminator, rosinality_generator
from golden import fill
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_generator import tiny_generator

import stylegan
from stylegan.checkpoints import Checkpoint, official_file
from stylegan.checkpoints.convert import Report, convert, kind_of
from stylegan.errors import CheckpointError, ConfigError, OutputError
from stylegan.networks import progan, stylegan3
from stylegan.networks.stylegan2 import Discriminator, Generator


def tiny_discriminator(**changes) -> Discriminator:
    return fill(Discriminator(0, 16, 3, channel_base=128, channel_max=16, **changes)).requires_grad_(False)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    G = tiny_generator()
    for name, value in G.state_dict().items():
        if not name.endswith("resample_filter"):
            value.add_(0.01)  # not in place of G_ema: the two differ
    return Checkpoint(
        G_ema=tiny_generator(),
        G=G,
        D=tiny_discriminator(),
        augment_p=0.25,
        nimg=3000,
        origin="a test",
        licence="CC0-1.0",
    )


def whole(report: Report, checkpoint: Checkpoint) -> bool:
    """Return whether the report accounts for every tensor of every network exactly once."""
    return all(
        sorted([*account.kept, *account.renamed, *account.dropped]) == sorted(checkpoint.networks[name].state_dict())
        for name, account in report.written.items()
    )


def test_a_native_folder_holds_everything(checkpoint, tmp_path):
    report = convert(checkpoint, tmp_path / "net")
    again = stylegan.load_checkpoint(tmp_path / "net")
    assert report.kind == "native"
    assert (again.origin, again.licence, again.augment_p, again.nimg) == ("a test", "CC0-1.0", 0.25, 3000)
    assert set(again.networks) == set(report.written) == {"G_ema", "G", "D"}
    assert whole(report, checkpoint)
    assert all(str(account) == f"{len(account.kept)} kept" for account in report.written.values())


@pytest.mark.parametrize(
    ("dest", "kind", "expected"),
    [
        ("net", None, "native"),
        ("net.v2", None, "native"),
        ("net.pt", None, "rosinality"),
        ("net.pth", None, "rosinality"),
        ("net.pt", "official", "official"),
        ("net.safetensors", None, "official"),
    ],
)
def test_the_kind_follows_from_the_suffix(dest, kind, expected):
    assert kind_of(Path(dest), kind) == expected


@pytest.mark.parametrize(
    ("dest", "kind", "text"),
    [
        ("net.pkl", None, "net.pkl has a suffix that is not written; expected a folder, .pt or .safetensors"),
        ("net.pt", "native", "the kind native has the suffix no suffix, since it is a folder, got net.pt; rename it"),
        ("net.safetensors", "rosinality", "the kind rosinality has the suffix .pt or .pth, got net.safetensors"),
        ("net", "official", "the kind official has the suffix .safetensors or .pt or .pth, got net; rename it"),
    ],
)
def test_a_suffix_of_another_kind_is_refused(dest, kind, text):
    with pytest.raises(ConfigError, match=text):
        kind_of(Path(dest), kind)


def test_a_rosinality_file_has_the_tensors_of_its_classes_with_filters_that_enlarge(checkpoint, tmp_path):
    convert(checkpoint, tmp_path / "net.pt")
    written = torch.load(tmp_path / "net.pt", weights_only=True)
    for name, network in (("g_ema", checkpoint.G_ema), ("g", checkpoint.G), ("d", checkpoint.D)):
        described = rosinality_discriminator if name == "d" else rosinality_generator
        torch.testing.assert_close(written[name], dict(described(network)))


def test_what_a_rosinality_file_cannot_hold_is_reported(checkpoint, tmp_path):
    G = Generator(16, 0, 16, 16, 3, mapping_layers=2, channel_base=128, channel_max=16, num_fp16_res=4, conv_clamp=256)
    report = convert(replace(checkpoint, G_ema=G, D=tiny_discriminator(architecture="orig")), tmp_path / "net.pt")
    assert set(report.left_out) == {"D", "conv_clamp", "num_fp16_res", "channel_multiplier"}
    assert "d" not in torch.load(tmp_path / "net.pt", weights_only=True)
    text = "rosinality's code has the skip generator and the resnet discriminator of StyleGAN2, got orig"
    assert f"D is left out: {text}." in report.lines


def test_a_generator_that_the_kind_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(CheckpointError, match="has c_dim 0, got 2"):
        convert(Checkpoint(G_ema=tiny_generator(c_dim=2)), tmp_path / "net.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_official_state_dicts_have_our_names_and_the_settings(checkpoint, tmp_path, suffix):
    G = tiny_generator(c_dim=2)
    G.class_names = ["cat", "größer"]
    report = convert(replace(checkpoint, G_ema=G), tmp_path / f"net{suffix}", "official")
    if suffix == ".pt":
        content = torch.load(tmp_path / "net.pt", weights_only=True)
        config, found = json.loads(content["config"]), content["G_ema"]
        assert set(content) == {"G_ema", "G", "D", "config"}
    else:
        with safe_open(tmp_path / "net.safetensors", "pt") as file:
            config = json.loads(file.metadata()["config"])
            found = {name[6:]: file.get_tensor(name) for name in file.keys() if name.startswith("G_ema.")}  # noqa: SIM118
    assert config["class_names"] == ["cat", "größer"]
    assert (config["licence"], config["generator"]["c_dim"]) == ("CC0-1.0", 2)
    tiny_generator(c_dim=2).load_state_dict(found)
    assert all(torch.equal(value, found[name]) for name, value in G.state_dict().items())
    assert report.class_names == ["cat", "größer"]
    assert set(report.written) == {"G_ema", "G", "D"}


@pytest.mark.parametrize(("dest", "kind"), [("net.pt", "rosinality"), ("o.pt", "official"), ("net.safetensors", None)])
def test_a_file_is_read_back_with_the_same_images_and_logits(checkpoint, tmp_path, dest, kind):
    report = convert(checkpoint, tmp_path / dest, kind)
    again = stylegan.load_checkpoint(tmp_path / dest)
    assert (again.origin, again.licence, again.augment_p) == ("a test", "CC0-1.0", 0.25)
    assert whole(report, checkpoint)
    assert again.nimg == (None if kind == "rosinality" else 3000)
    for name, network in checkpoint.networks.items():
        other = again.networks[name].state_dict()
        differing = {key for key, value in network.state_dict().items() if not torch.equal(value, other[key])}
        # A file for rosinality's tools has one average of w for both generators.
        assert differing == ({"mapping.w_avg"} if kind == "rosinality" and name == "G" else set())
    z, img = stylegan.latents([0, 1], 16), torch.randn(2, 3, 16, 16)
    images = stylegan.load(tmp_path / dest, device="cpu")(z, noise_mode="const")
    assert torch.equal(images, checkpoint.G_ema(z, noise_mode="const"))
    assert torch.equal(again.D(img), checkpoint.D(img))


def test_settings_and_names_of_classes_come_back_from_an_official_file(tmp_path):
    G = Generator(16, 2, 16, 16, 3, channel_base=128, channel_max=16, mapping_layers=2, w_avg_beta=0.9, num_fp16_res=1)
    G.class_names = ["cat", "dog"]
    for dest in ("net.pt", "net.safetensors"):
        convert(Checkpoint(G=G, D=tiny_discriminator(mbstd_group_size=2)), tmp_path / dest, "official")
        again = stylegan.load_checkpoint(tmp_path / dest)
        assert again.G_ema is None
        assert (again.G.settings, again.G.class_names, again.D.settings.mbstd_group_size) == (
            G.settings,
            ["cat", "dog"],
            2,
        )
        assert (again.origin, again.licence) == (None, None)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("{", "its config is not that of a checkpoint of stylegan2 or stylegan3"),
        ('{"format": 1, "architecture": "progan"}', "its config is not that of a checkpoint"),
        ('{"format": 1, "architecture": ["stylegan2"]}', "its config is not that of a checkpoint"),
        ('{"format": 1, "architecture": "stylegan2"}', "its config has no settings of the generator"),
        (
            '{"format": 1, "architecture": "stylegan2", "generator": {"z_dim": 99999999}}',
            "z_dim must be a whole number",
        ),
        ('{"format": 1, "architecture": "stylegan2", "generator": {}}', "does not|is not part of|asks? for|is missing"),
    ],
)
def test_a_damaged_official_file_gets_one_sentence(tmp_path, config, text):
    torch.save({"G_ema": {"mapping.w_avg": torch.zeros(512)}, "config": config}, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=text):
        stylegan.load_checkpoint(tmp_path / "net.pt")


def test_a_tensor_may_not_take_the_name_of_the_settings(tmp_path):
    tensors = {"config.a": torch.zeros(1), "G_ema.mapping.w_avg": torch.zeros(512)}
    save_file(tensors, tmp_path / "net.safetensors", metadata={"config": "{"})
    with pytest.raises(CheckpointError, match="its config is not that of a checkpoint"):
        stylegan.load_checkpoint(tmp_path / "net.safetensors")


def test_values_that_are_no_tensors_get_one_sentence_too(tmp_path):
    config = '{"format": 1, "architecture": "stylegan2", "generator": {}}'
    for G in ({"mapping.w_avg": 1}, {1: torch.zeros(1)}, {}):
        torch.save({"G_ema": G, "config": config}, tmp_path / "net.pt")
        with pytest.raises(CheckpointError, match="is not the checkpoint of a StyleGAN"):
            stylegan.load_checkpoint(tmp_path / "net.pt")


def test_an_official_file_may_be_in_the_folder_of_a_checkpoint(checkpoint, tmp_path):
    convert(checkpoint, tmp_path / "net")
    convert(checkpoint, tmp_path / "net" / "all.safetensors")
    assert set(stylegan.load_checkpoint(tmp_path / "net" / "all.safetensors").networks) == {"G_ema", "G", "D"}


def test_weights_without_an_origin_are_not_taken_for_those_of_others(tmp_path):
    convert(Checkpoint(G_ema=tiny_generator()), tmp_path / "net.pt")
    again = stylegan.load_checkpoint(tmp_path / "net.pt")
    assert (again.origin, again.licence) == ("not stated", None)


def test_a_stylegan3_has_an_official_layout_and_a_progan_has_none(tmp_path):
    G = stylegan3.Generator(16, 0, 16, 16, 3, num_layers=4, channel_base=128, channel_max=16)
    convert(Checkpoint(G_ema=G), tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match="have the networks of stylegan2 and stylegan3, got progan; write a nat"):
        convert(Checkpoint(G_ema=progan.Generator(16, 0, 16, 3, channel_base=128)), tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="got no generator"):
        convert(Checkpoint(D=tiny_discriminator()), tmp_path / "other.safetensors")


@pytest.mark.parametrize("dest", ["net", "net.pt", "net.safetensors"])
def test_what_exists_is_only_replaced_when_asked(checkpoint, tmp_path, dest):
    convert(checkpoint, tmp_path / dest)
    newer = replace(checkpoint, licence="Apache-2.0")
    with pytest.raises(OutputError, match=f"{dest} already exists; choose another name, or set `overwrite`"):
        convert(newer, tmp_path / dest)
    assert convert(newer, tmp_path / dest, overwrite=True).licence == "Apache-2.0"
    assert [path.name for path in tmp_path.iterdir()] == [dest]


def test_a_folder_of_images_is_never_replaced(checkpoint, tmp_path):
    (tmp_path / "net").mkdir()
    convert(checkpoint, tmp_path / "net")  # an empty folder is free
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("dear")
    (tmp_path / "net.pt").mkdir()
    for dest in ("photos", "net.pt"):
        with pytest.raises(OutputError, match=r"is not a checkpoint|is a folder, expected the name of a file"):
            convert(checkpoint, tmp_path / dest, overwrite=True)
    assert (tmp_path / "photos" / "holiday.jpg").read_text() == "dear"


@pytest.mark.parametrize("dest", ["net.pt", "net.safetensors"])
def test_an_interrupted_conversion_leaves_the_older_file(checkpoint, tmp_path, monkeypatch, dest):
    convert(checkpoint, tmp_path / dest, "official")
    before = (tmp_path / dest).read_bytes()

    def fail(content, path, **_):
        path.write_bytes(b"half")
        raise RuntimeError("no space left\nat some place")

    monkeypatch.setattr("torch.save", fail)
    monkeypatch.setattr(official_file, "save_file", fail)
    with pytest.raises(OutputError, match=r"cannot write .*net.*: no space left; choose another place"):
        convert(checkpoint, tmp_path / dest, "official", overwrite=True)
    assert (tmp_path / dest).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [dest]


def test_views_and_shared_memory_are_stored_once_each(tmp_path):
    G = tiny_generator().to(memory_format=torch.channels_last)
    convert(Checkpoint(G_ema=G, G=G), tmp_path / "net.safetensors")
    convert(Checkpoint(G_ema=G), tmp_path / "net.pt")
    numbers = sum(value.numel() for value in G.state_dict().values())
    assert (tmp_path / "net.pt").stat().st_size < 4 * numbers + 60_000


def test_the_report_is_json_for_every_network(checkpoint, tmp_path):
    report = json.loads(convert(checkpoint, tmp_path / "net.pt").to_json({}))
    assert report["written"]["G_ema"]["renamed"]["synthesis.b4.const"] == "input.input"
    assert report["written"]["D"]["dropped"]["b4.conv.resample_filter"].startswith("stored as the kernels")
    assert (report["kind"], report["architecture"], report["nimg"]) == ("rosinality", "stylegan2", 3000)
