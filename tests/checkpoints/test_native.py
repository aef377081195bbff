"""Native checkpoints: whole or not at all, and errors that name the file."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from tiny_generator import tiny_generator

import stylegan
from stylegan.checkpoints import native
from stylegan.errors import CheckpointError, OutputError, StyleGANError
from stylegan.networks.stylegan2 import Discriminator


def tiny_discriminator() -> Discriminator:
    return Discriminator(0, 16, 3, channel_base=128, channel_max=16)


@pytest.fixture
def folder(tmp_path) -> Path:
    checkpoint = stylegan.Checkpoint(
        G_ema=tiny_generator(), D=tiny_discriminator(), augment_p=0.25, origin="a test", licence="CC0-1.0"
    )
    stylegan.save(checkpoint, tmp_path / "net")
    return tmp_path / "net"


def test_what_was_saved_is_loaded(folder):
    checkpoint = stylegan.load_checkpoint(folder)
    assert (checkpoint.origin, checkpoint.licence, checkpoint.augment_p) == ("a test", "CC0-1.0", 0.25)
    assert checkpoint.G is None
    before, after = tiny_generator(), checkpoint.G_ema
    assert before.state_dict().keys() == after.state_dict().keys()
    assert all(torch.equal(v, after.state_dict()[k]) for k, v in before.state_dict().items())
    assert not after.training
    z = stylegan.latents([0, 1], 16)
    assert torch.equal(before(z, noise_mode="const"), stylegan.load(folder, device="cpu")(z, noise_mode="const"))


def test_config_names_every_constructor_argument(folder):
    config = json.loads((folder / "config.json").read_text())
    assert (config["format"], config["architecture"]) == (1, "stylegan2")
    assert config["generator"]["img_resolution"] == 16
    assert config["generator"]["architecture"] == "skip"
    assert config["discriminator"]["mbstd_group_size"] == 4
    assert (folder / "README.md").read_text().startswith("---\n")


def test_names_of_labels_travel_and_are_optional(tmp_path, folder):
    assert stylegan.load(folder, device="cpu").class_names is None
    assert "class_names" not in json.loads((folder / "config.json").read_text())
    G = tiny_generator(c_dim=2)
    G.class_names = ["cat", "dog"]
    stylegan.save(stylegan.Checkpoint(G_ema=G), tmp_path / "net")
    loaded = stylegan.load(tmp_path / "net", device="cpu").for_inference()
    assert (loaded.class_names, loaded.label_names) == (["cat", "dog"], None)
    _change_config(tmp_path / "net", class_names=["cat"])
    with pytest.raises(CheckpointError, match="class_names in .*config.json must be 2 strings; correct or remove it"):
        stylegan.load(tmp_path / "net")


@pytest.mark.parametrize(("key", "other"), [("class_names", "label_names"), ("label_names", "class_names")])
@pytest.mark.parametrize("network", ["G", "G_ema"])
def test_either_kind_of_names_survives_for_either_generator(tmp_path, network, key, other):
    G = tiny_generator(c_dim=2)
    setattr(G, key, ["smile", "größe"])
    stylegan.save(stylegan.Checkpoint(**{network: G}), tmp_path / "net")
    checkpoint = stylegan.load_checkpoint(tmp_path / "net")
    for loaded in (getattr(checkpoint, network), stylegan.load(tmp_path / "net", device="cpu")):
        assert (getattr(loaded, key), getattr(loaded, other)) == (["smile", "größe"], None)
    stylegan.save(checkpoint, tmp_path / "again")
    assert getattr(stylegan.load(tmp_path / "again", device="cpu"), key) == ["smile", "größe"]


def test_channels_last_weights_are_saved_too(tmp_path):
    G = tiny_generator().to(memory_format=torch.channels_last)
    stylegan.save(stylegan.Checkpoint(G_ema=G), tmp_path / "net")
    loaded = stylegan.load(tmp_path / "net", device="cpu")
    assert torch.equal(loaded.synthesis.b16.conv1.weight, G.synthesis.b16.conv1.weight)


def test_run_folder_means_its_newest_snapshot(folder, tmp_path):
    run = tmp_path / "run"
    (run / "snapshots").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="has no snapshot yet"):
        stylegan.load(run)
    for name, origin in (("000009", "old"), ("000010", "new")):
        stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator(), origin=origin), run / "snapshots" / name)
    (run / "snapshots" / "000011").mkdir()  # a folder without a config is no snapshot
    assert stylegan.load_checkpoint(run).origin == "new"


def test_interrupted_save_leaves_the_older_checkpoint_whole(folder, monkeypatch):
    def fail(tensors, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(native, "save_file", fail)
    with pytest.raises(OutputError, match="No space left on device; choose another place"):
        stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator(), origin="newer"), folder)
    assert stylegan.load_checkpoint(folder).origin == "a test"
    assert [p.name for p in folder.parent.iterdir()] == ["net"]


def test_save_never_replaces_what_is_no_checkpoint(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for name in ("photos", "file"):
        with pytest.raises(OutputError, match="already exists and is not a checkpoint; remove it or choose another"):
            stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator()), tmp_path / name)
    assert (tmp_path / "photos" / "holiday.jpg").read_text() == (tmp_path / "file").read_text() == "dear"


def test_other_networks_are_refused(tmp_path):
    text = "takes the networks of .*stylegan2, .* themselves, got torch.nn.modules.linear.Linear"
    for networks in ({"G_ema": torch.nn.Linear(2, 2)}, {"G_ema": tiny_generator(), "D": torch.nn.Linear(2, 2)}):
        with pytest.raises(CheckpointError, match=text):
            stylegan.save(stylegan.Checkpoint(**networks), tmp_path / "net")
    with pytest.raises(CheckpointError, match="made by for_inference cannot be saved; save the network that it was"):
        stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator().for_inference()), tmp_path / "net")


def test_full_disk_while_writing_tensors_gets_one_sentence(tmp_path, monkeypatch):
    def fail(tensors, path):
        raise SafetensorError("I/O error: File too large")

    monkeypatch.setattr(native, "save_file", fail)
    with pytest.raises(OutputError, match=r"cannot write .*File too large; choose another place"):
        stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator()), tmp_path / "net")


def test_save_replaces_an_older_checkpoint(folder):
    stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator(), origin="newer"), folder)
    assert stylegan.load_checkpoint(folder).origin == "newer"
    assert not (folder / "discriminator.safetensors").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["net"]


def _change_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: shutil.rmtree(f),
            "does not exist; expected a checkpoint, a run folder or the name of a bundled network: avatars64",
        ),
        (lambda f: (f / "config.json").unlink(), "is not a checkpoint; expected a folder with config.json"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read: .*; the checkpoint is damaged"),
        (lambda f: (f / "config.json").write_text("[]"), "is not a checkpoint of format 1, got None"),
        (lambda f: _change_config(f, format=2), "is not a checkpoint of format 1, got 2; update stylegan"),
        (
            lambda f: _change_config(f, architecture="os"),
            "has architecture 'os'; this version knows progan, ",
        ),
        (lambda f: _change_config(f, generator={"size": 3}), "does not fit the config.json beside it: .*'size'"),
        (lambda f: (f / "generator_ema.safetensors").write_bytes(b"x" * 99), "cannot be read: .*damaged"),
        (lambda f: (f / "generator_ema.safetensors").unlink(), "holds no generator, only a discriminator"),
    ],
)
def test_damaged_checkpoint_gets_one_sentence(folder, damage, message):
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as error:
        stylegan.load(folder)
    assert "\n" not in str(error.value)


def test_truncated_weights_get_one_sentence(folder):
    file = folder / "generator_ema.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="the checkpoint is damaged"):
        stylegan.load(folder)


def test_a_checkpoint_without_generator_is_not_saved(tmp_path):
    with pytest.raises(CheckpointError, match="needs a generator"):
        stylegan.save(stylegan.Checkpoint(D=tiny_discriminator()), tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_a_missing_device_gets_one_sentence(folder):
    with pytest.raises(StyleGANError, match="`device` 'cuda:7' is not available here; set `device` to cpu or auto"):
        stylegan.load(folder, device="cuda:7")


@pytest.mark.parametrize("group", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mapping_layers", 3_000_000),
        ("img_resolution", 2**30),
        ("img_resolution", 16.0),
        ("img_resolution", True),
        ("c_dim", 10**12),
        ("channel_max", 10**9),
        ("channel_base", -1),
        ("img_channels", "x"),
        ("conv_clamp", "x"),
        ("conv_clamp", float("nan")),
        ("resample_filter", [1] * 1_000_000),
        ("resample_filter", [0, 0]),
        ("activation", "x" * 1_000_000),
        ("num_fp16_res", None),
    ],
)
def test_absurd_settings_get_one_sentence_before_anything_is_built(folder, group, name, value):
    config = json.loads((folder / "config.json").read_text())
    _change_config(folder, **{group: {**config[group], name: value}})
    start = time.process_time()
    with pytest.raises(CheckpointError, match=f"does not fit the config.json beside it: {name} must be ") as error:
        stylegan.load_checkpoint(folder)
    assert time.process_time() - start < 2
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("group", ["generator", "discriminator"])
@pytest.mark.parametrize("value", [5, "x", [], [["img_resolution", 16]], True])
def test_settings_that_are_no_group_get_one_sentence(folder, group, value):
    _change_config(folder, **{group: value})
    with pytest.raises(CheckpointError, match=f"{group} in .*config.json must be a group of settings, got "):
        stylegan.load_checkpoint(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "config.json cannot be read: .*; the checkpoint is damaged"),
        ('{"format": ' + "9" * 10_000 + "}", "config.json cannot be read: .*; the checkpoint is damaged"),
        (" " * 17_000_000, "config.json is larger than 16 MB; the checkpoint is damaged"),
    ],
)
def test_absurd_config_gets_one_sentence(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message) as error:
        stylegan.load(folder)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("augment_p", float("nan"), "augment_p must be a number from 0 to 1, got nan"),
        ("augment_p", True, "augment_p must be a number from 0 to 1, got True"),
        ("augment_p", "x", "augment_p must be a number from 0 to 1, got 'x'"),
        ("nimg", -1, "nimg must be a whole number from 0 to 9007199254740992 or None, got -1"),
        ("nimg", 1.5, "nimg must be a whole number from 0 to 9007199254740992 or None, got 1.5"),
        ("licence", ["x"], "licence must be a text of up to 1000 characters or None, got "),
        ("origin", "x" * 1_000_000, "origin must be a text of up to 10000 characters or None, got "),
    ],
)
def test_absurd_facts_get_one_sentence(folder, key, value, message):
    _change_config(folder, **{key: value})
    with pytest.raises(CheckpointError, match=f"{message}.* in .*config.json; the checkpoint is damaged") as error:
        stylegan.load(folder)
    assert len(str(error.value)) < 600


def test_weights_that_claim_gigabytes_are_refused_before_any_is_read(folder):
    file, shape = folder / "generator_ema.safetensors", [40_000, 40_000]
    size = 4 * shape[0] * shape[1]
    header = json.dumps({"mapping.fc0.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    with open(file, "wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(8 + len(header) + size)
    with pytest.raises(
        CheckpointError, match=r"fc0.weight has shape \[40000, 40000\], its settings ask for \[16, 16\]"
    ):
        stylegan.load(folder)
    config = json.loads((folder / "config.json").read_text())
    huge = {**config["generator"], "w_dim": 40_000, "z_dim": 40_000}
    _change_config(folder, generator=huge)
    start = time.process_time()
    with pytest.raises(
        CheckpointError, match=r"its settings ask for [\d,]+ values, at most 1,073,741,824 are expected"
    ):
        stylegan.load(folder)
    assert time.process_time() - start < 2


def test_opening_a_network_and_drawing_import_no_compiler(folder):
    # It would take a second of the start of every command.
    script = (
        "import sys, stylegan; G = stylegan.load(sys.argv[1], device='cpu').for_inference(); "
        "stylegan.generate(G, [0]); "
        "print(sorted({'torch._dynamo', 'torch._inductor'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(stylegan.__file__).parents[1]), *sys.path])}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert result.stdout == "[]\n"
