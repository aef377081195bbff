"""Bundling: half the bytes, the same images, and facts that a person has written stay."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from golden import fill
from safetensors.torch import load_file
from tiny_generator import tiny_generator

import stylegan
from stylegan.checkpoints.bundle import COMPARED, Card, bundle, in_half, main, psnr
from stylegan.errors import CheckpointError, OutputError
from stylegan.networks import stylegan3
from stylegan.networks.stylegan2 import Discriminator

CARD = Card(draws="noise", origin="a test (CC0-1.0)")


def saved(folder: Path, **changes) -> Path:
    stylegan.save(stylegan.Checkpoint(**{"G_ema": tiny_generator(), "nimg": 3_000, **changes}), folder)
    return folder


@pytest.fixture
def source(tmp_path) -> Path:
    D = Discriminator(0, 16, 3, channel_base=128, channel_max=16)
    return saved(tmp_path / "net", D=D, G=tiny_generator())


def config(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def test_only_the_averaged_generator_is_stored_in_half_the_bytes(source, tmp_path):
    result = bundle(source, tmp_path / "small16", CARD)
    assert {file.name for file in result.folder.iterdir()} == {"README.md", "config.json", "generator_ema.safetensors"}
    assert result.bytes < 0.65 * (source / "generator_ema.safetensors").stat().st_size
    found = config(result.folder)
    assert (found["origin"], found["licence"], found["draws"]) == ("a test (CC0-1.0)", "Apache-2.0", "noise")
    assert (found["nimg"], found["discriminator"]) == (3_000, None)


def test_a_bundled_network_is_float32_and_as_exact_as_float16(source, tmp_path):
    G = stylegan.load(bundle(source, tmp_path / "small16", CARD).folder, device="cpu")
    for name, value in tiny_generator().state_dict().items():
        loaded = G.state_dict()[name]
        assert loaded.dtype == torch.float32
        half = loaded.half().float()
        assert torch.equal(loaded, value if name.endswith(("resample_filter", "w_avg")) else half), name
        torch.testing.assert_close(loaded, value, rtol=2**-11, atol=2**-25)


def test_noise_is_stored_in_half_and_filters_of_a_stylegan3_stay_exact(tmp_path):
    tensors = load_file(bundle(saved(tmp_path / "net"), tmp_path / "b", CARD).folder / "generator_ema.safetensors")
    assert tensors["synthesis.b16.conv1.noise_const"].dtype == torch.float16
    assert tensors["synthesis.b16.conv1.resample_filter"].dtype == torch.float32
    G = fill(stylegan3.Generator(16, 0, 16, 16, 3, num_layers=4, channel_base=128, channel_max=16, output_scale=1.0))
    exact = {name for name, value in in_half(G).items() if value.dtype == torch.float32}
    assert {name.rpartition(".")[2] for name in exact} >= {"up_filter", "down_filter", "magnitude_ema", "transform"}


def test_the_images_stay_and_the_psnr_says_how_closely(source, tmp_path):
    result = bundle(source, tmp_path / "small16", CARD)
    G = stylegan.load(result.folder, device="cpu")
    images = [stylegan.generate(net, range(8)).double() for net in (tiny_generator(), G)]
    assert (images[0] - images[1]).abs().max() <= 2
    assert 45 < result.psnr_db < 100
    changed = tiny_generator()
    changed.synthesis.b16.torgb.bias.data += 0.1
    assert psnr(tiny_generator(), changed).shape == (COMPARED,)
    assert psnr(tiny_generator(), changed).max() < 30


def test_weights_that_float16_cannot_hold_are_refused_and_the_older_network_stays(source, tmp_path):
    bundle(source, tmp_path / "small16", CARD)
    G = tiny_generator()
    G.synthesis.b4.conv1.weight.data.mul_(1e6)  # demodulation hides it
    with pytest.raises(CheckpointError, match="float16 changes the images of .*; share the float32 checkpoint"):
        bundle(saved(tmp_path / "huge", G_ema=G), tmp_path / "small16", CARD)
    assert stylegan.load(tmp_path / "small16", device="cpu").synthesis.b4.conv1.weight.isfinite().all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["huge", "net", "small16"]


def test_class_names_come_from_the_card_or_stay(tmp_path):
    G = tiny_generator(c_dim=2)
    G.class_names = ["a", "b"]
    source = saved(tmp_path / "net", G_ema=G)
    bundle(source, tmp_path / "as_trained", CARD)
    assert stylegan.load(tmp_path / "as_trained", device="cpu").class_names == ["a", "b"]
    bundle(source, tmp_path / "named", Card(draws="pets", origin="a test", class_names=("cat", "dog")))
    assert stylegan.load(tmp_path / "named", device="cpu").class_names == ["cat", "dog"]
    assert "--class cat " in (tmp_path / "named" / "README.md").read_text()
    with pytest.raises(CheckpointError, match="the network has 2 classes, got 1 names; give one per class"):
        bundle(source, tmp_path / "wrong", Card(draws="pets", origin="a test", class_names=("cat",)))


def test_the_licence_of_the_weights_cannot_be_replaced(tmp_path):
    source = saved(tmp_path / "net", licence="CC-BY-NC-4.0")
    with pytest.raises(CheckpointError, match="are licensed under CC-BY-NC-4.0, got Apache-2.0; state their own"):
        bundle(source, tmp_path / "small16", CARD)
    bundle(source, tmp_path / "small16", Card(draws="noise", origin="a test", licence="CC-BY-NC-4.0"))


def test_the_mark_of_a_discriminator_on_a_feature_network_stays(source, tmp_path):
    marked = {**config(source), "discriminator_features": "efflite0"}
    for network in ("discriminator", "generator"):
        (source / f"{network}.safetensors").unlink()
    (source / "config.json").write_text(json.dumps(marked))
    assert config(bundle(source, tmp_path / "small16", CARD).folder)["discriminator_features"] == "efflite0"


def test_a_finished_model_card_is_kept_and_a_draft_is_replaced(source, tmp_path):
    assert not bundle(source, tmp_path / "small16", CARD).kept_card
    card = tmp_path / "small16" / "README.md"
    card.write_text(card.read_text() + "TODO: more")
    assert not bundle(source, tmp_path / "small16", CARD).kept_card
    assert "more" not in card.read_text()
    card.write_text("finished")
    assert bundle(source, tmp_path / "small16", CARD).kept_card
    assert card.read_text() == "finished"


def test_a_folder_that_is_no_checkpoint_is_not_replaced(source, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("dear")
    with pytest.raises(OutputError, match="already exists and is not a checkpoint"):
        bundle(source, tmp_path / "photos", CARD)


def test_a_checkpoint_without_generator_is_refused(source, tmp_path):
    for network in ("generator_ema", "generator"):
        (source / f"{network}.safetensors").unlink()
    with pytest.raises(CheckpointError, match="needs a generator, got a discriminator alone"):
        bundle(source, tmp_path / "small16", CARD)


def test_the_command_asks_for_the_facts_once(source, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(main, [str(source), "small16", "--dest", str(tmp_path), *arguments])

    result = run()
    assert result.exit_code == 2
    assert "small16 is new; describe it with --draws and --origin." in result.output
    result = run("--draws", "noise", "--origin", "a test")
    assert result.exit_code == 0, result.output
    assert "KB in float16.\nWorst of 64 images against float32: PSNR " in result.output
    assert run("--draws", "fine noise").exit_code == 0
    assert (config(tmp_path / "small16")["draws"], config(tmp_path / "small16")["origin"]) == ("fine noise", "a test")
    assert CliRunner().invoke(main, ["nowhere", "small16", "--dest", str(tmp_path)]).exit_code == 1
