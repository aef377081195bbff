"""A new run from trained weights: what goes over, what stays as it is, and that it resumes like any other."""

import copy
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from tiny_run import tiny_config, tiny_images

from stylegan.checkpoints import Checkpoint, load_checkpoint, save
from stylegan.errors import ConfigError
from stylegan.networks import stylegan2, stylegan3
from stylegan.training import phases
from stylegan.training.assemble import Given, Images, assemble
from stylegan.training.config import TrainConfig
from stylegan.training.loop import train
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.run import new_run_folder
from stylegan.training.state import create_state
from stylegan.training.transfer import (
    carry_over,
    open_start,
    require_architecture,
    settings_to_take_over,
    start_from_checkpoint,
    transfer_report,
)

SIZES = {"channel_base": 256, "channel_max": 32}
G_ARGS = {"z_dim": 32, "w_dim": 32, "img_resolution": 16, "mapping_layers": 2, **SIZES}


def generator(**changes) -> stylegan2.Generator:
    G = stylegan2.Generator(**{**G_ARGS, **changes})
    G.mapping.w_avg.normal_()
    return G


def discriminator(**changes) -> stylegan2.Discriminator:
    return stylegan2.Discriminator(**{"img_resolution": 16, **SIZES, **changes})


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    torch.manual_seed(7)
    folder = tmp_path_factory.mktemp("source") / "net"
    networks = {"G_ema": generator(), "G": generator(), "D": discriminator()}
    save(Checkpoint(**networks, origin="a friend", licence="CC-BY-4.0"), folder)
    return folder


def transfer_config(source: Path, data="unused", *, resolution=16, channels=3, label_dim=0, **changes) -> TrainConfig:
    """Return the settings that `train --resume SOURCE --transfer` makes."""
    short = {"device": "cpu", "kimg": 0.064, "tick_kimg": 0.032, "snap_ticks": 1, "batch": 8}
    return assemble(
        "tiny16" if resolution == 16 else "auto",
        Images(data, resolution, channels, label_dim),
        Given(assignments={**short, **changes}),
        start=open_start(source),
    )


def started(config: TrainConfig):
    state = create_state(config, torch.device("cpu"))
    start_from_checkpoint(state, config)
    return state


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[key], y[key]) for key in x)


def test_all_three_networks_start_from_those_of_the_checkpoint(source):
    config, checkpoint = transfer_config(source), load_checkpoint(source)
    state = started(config)
    for name in ("G", "D", "G_ema"):
        assert same(getattr(state, name), getattr(checkpoint, name)), name
    assert not same(state.G, state.G_ema)
    total = {"G": 48, "D": 18, "G_ema": 48}
    report = transfer_report(checkpoint, config).splitlines()
    assert report == [f"  {name}: carried over {n} of {n} tensors." for name, n in total.items()]


def test_networks_are_as_large_as_the_checkpoint_unless_set_otherwise(source):
    config = transfer_config(source)
    assert {key: config.generator[key] for key in G_ARGS} == G_ARGS
    assert (config.augment.ada_kimg, config.ema_rampup) == (100, None)
    assert (config.transfer.origin, config.transfer.licence) == ("a friend", "CC-BY-4.0")
    assert transfer_config(source, **{"generator.channel_base": 128}).generator["channel_base"] == 128


def test_adaptive_augmentation_continues_with_the_discriminator_that_it_was_adapted_to(source, tmp_path):
    trained = load_checkpoint(source)
    save(replace(trained, augment_p=0.3), tmp_path / "with_d")
    save(replace(trained, augment_p=0.3, D=None), tmp_path / "without_d")
    for name, changes, expected in (
        ("with_d", {"augment.mode": "ada"}, 0.3),
        ("with_d", {"augment.mode": "ada", "augment.max_p": 0.2}, 0.2),
        ("with_d", {"augment.mode": "fixed", "augment.p": 0.1}, 0.1),
        ("without_d", {"augment.mode": "ada"}, 0.0),
    ):
        config = transfer_config(tmp_path / name, **changes)
        assert float(started(config).augment_p) == pytest.approx(expected)
        starts = "augmentation: starts with probability" in transfer_report(load_checkpoint(tmp_path / name), config)
        assert starts == (changes["augment.mode"] == "ada" and expected > 0)


def test_a_checkpoint_of_the_average_alone_fills_both_generators(tmp_path):
    save(Checkpoint(G_ema=generator()), tmp_path / "net")
    config, checkpoint = transfer_config(tmp_path / "net"), load_checkpoint(tmp_path / "net")
    state = started(config)
    assert same(state.G, checkpoint.G_ema)
    assert same(state.G_ema, checkpoint.G_ema)
    report = transfer_report(checkpoint, config)
    assert "G: carried over 48 of 48 tensors from G_ema, the checkpoint has no G." in report
    assert "D: starts fresh, the checkpoint has none." in report


def test_larger_images_take_over_every_resolution_of_the_checkpoint(source):
    config, checkpoint = transfer_config(source, resolution=32), load_checkpoint(source)
    report = transfer_report(checkpoint, config)
    assert "generator changed: img_resolution 16 -> 32." in report
    assert "G: carried over 48 of 64 tensors; fresh: synthesis.b32.*." in report
    assert "D: carried over 16 of 23 tensors; fresh: b32.*; left behind: b16.fromrgb.*." in report
    state = started(config)
    assert torch.equal(state.G.synthesis.b16.conv1.weight, checkpoint.G.synthesis.b16.conv1.weight)
    assert torch.equal(state.D.b16.skip.weight, checkpoint.D.b16.skip.weight)


def test_smaller_images_leave_the_highest_resolution_behind(source):
    checkpoint = load_checkpoint(source)
    report = transfer_report(checkpoint, transfer_config(source, resolution=8))
    assert "G: carried over 32 of 32 tensors; left behind: synthesis.b16.*." in report
    assert "D: carried over 11 of 13 tensors; fresh: b8.fromrgb.*; left behind: b16.*." in report


def test_new_labels_leave_all_but_the_layers_that_read_them(source):
    """A generator that begins to read them draws at first what it drew before."""
    report = transfer_report(load_checkpoint(source), transfer_config(source, label_dim=3))
    assert "c_dim 0 -> 3" in report
    assert "G: carried over 48 of 50 tensors; fresh: mapping.embed.*." in report
    assert "fresh: mapping.*, b4.out.*" in report
    z, old, labeled, again = torch.randn(4, 32), generator(), generator(c_dim=3), generator()
    for one, other in ((old, labeled), (labeled, again)):
        other.load_state_dict({**other.state_dict(), **carry_over(one, other).tensors})
    torch.testing.assert_close(labeled.mapping(z, torch.randn(4, 3)), old.mapping(z))
    torch.testing.assert_close(again.mapping(z), old.mapping(z))


def test_another_width_takes_a_layer_whole_or_not_at_all(source):
    config = transfer_config(source, **{"generator.channel_max": 16, "discriminator.channel_max": 16})
    taken = carry_over(generator(), stylegan2.Generator(**config.generator))
    assert {"mapping.fc0.weight", "mapping.w_avg"} <= set(taken.tensors)
    assert "synthesis.b8.conv0.noise_const" in taken.fresh  # its shape would fit
    assert "synthesis.b4.*" in transfer_report(load_checkpoint(source), config)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_colors_draw_and_judge_the_converted_images(source, channels):
    config, checkpoint = transfer_config(source, channels=channels), load_checkpoint(source)
    state = started(config)
    z = torch.randn(4, 32)
    for mine, theirs in ((state.G, checkpoint.G), (state.G_ema, checkpoint.G_ema)):
        new, old = (network(z, noise_mode="const") for network in (mine, theirs))
        expected = old.mean(1, keepdim=True) if channels == 1 else torch.cat([old, torch.zeros(4, 1, 16, 16)], 1)
        torch.testing.assert_close(new, expected, rtol=1e-4, atol=1e-5)
    img = torch.randn(4, channels, 16, 16)
    seen = img.repeat(1, 3, 1, 1) if channels == 1 else img[:, :3]
    torch.testing.assert_close(state.D(img), checkpoint.D(seen), rtol=1e-4, atol=1e-5)
    assert "fresh" not in transfer_report(checkpoint, config)


def test_gray_weights_draw_color_and_back():
    gray, color, again = generator(img_channels=1), generator(), generator(img_channels=1)
    z = torch.randn(2, 32)
    for old, new in ((gray, color), (color, again)):
        new.load_state_dict({**new.state_dict(), **carry_over(old, new).tensors})
    assert torch.allclose(color(z, noise_mode="const"), gray(z, noise_mode="const").expand(-1, 3, -1, -1), atol=1e-5)
    assert torch.allclose(again(z, noise_mode="const"), gray(z, noise_mode="const"), atol=1e-5)


def test_opacity_is_no_color_when_weights_turn_gray():
    clear, gray = generator(img_channels=4), generator(img_channels=1)
    gray.load_state_dict({**gray.state_dict(), **carry_over(clear, gray).tensors})
    z = torch.randn(2, 32)
    expected = clear(z, noise_mode="const")[:, :3].mean(1, keepdim=True)
    torch.testing.assert_close(gray(z, noise_mode="const"), expected, rtol=1e-4, atol=1e-5)


FROZEN = {"discriminator.freeze_layers": 5, "transfer.freeze_mapping": True}


@pytest.mark.parametrize("micro_batch", [8, 4])
def test_frozen_layers_get_no_gradient_no_optimizer_state_and_never_change(source, micro_batch):
    config = transfer_config(source, **FROZEN, micro_batch=micro_batch)
    state = started(config)
    frozen_d = [f"b16.{layer}" for layer in ("fromrgb", "conv0", "conv1", "skip")] + ["b8.conv0"]
    before = {name: copy.deepcopy(getattr(state, name).state_dict()) for name in ("G", "D", "G_ema")}
    parts = [MicroBatch(torch.randn(micro_batch, 3, 16, 16), *[torch.zeros(micro_batch, 0)] * 2)] * (8 // micro_batch)
    for _ in range(5):  # main phases, path lengths twice, R1 once
        train_step(state, config, parts)
    checked = 0
    for name, old in before.items():
        for key, value in getattr(state, name).state_dict().items():
            frozen = key.startswith("mapping.") if name != "D" else key.startswith(tuple(frozen_d))
            if not frozen and key.endswith(".weight"):
                assert not torch.equal(value, old[key]), (name, key)
            checked += frozen
            assert torch.equal(value, old[key]) or not frozen, (name, key)
    assert checked == 2 * 5 + 5 * 2 - 1 + 5  # tensors of two mapping networks, of five layers, and their filters
    held = {id(p) for opt in (state.G_opt, state.D_opt) for p in opt.state}
    assert held == {id(p) for p in state.G.synthesis.parameters()} | {id(p) for p in state.D.parameters()}
    assert all(p.grad is None for p in state.G.mapping.parameters())


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_frozen_layers_cost_no_backward_pass(source, phase):
    """Nothing before the first layer that trains is in the graph, but where images or ws ask for it."""
    config = transfer_config(source, **FROZEN)
    state = started(config)
    outputs = []
    for layer in (state.D.b8.conv0, state.G.mapping.fc1):
        layer.register_forward_hook(lambda module, inputs, output: outputs.append((module, output.requires_grad)))
    chosen = phases.due_phases(state, config)[phase]
    batch = MicroBatch(torch.randn(8, 3, 16, 16), torch.zeros(8, 0), torch.zeros(8, 0))
    chosen.accumulate(state, config, [batch])
    assert outputs
    for module, requires_grad in outputs:  # the generator learns through the frozen layers of D
        assert requires_grad == (module is state.D.b8.conv0 and phase == 0)


def test_frozen_mapping_keeps_the_w_of_every_seed_in_both_generators(source):
    state = started(transfer_config(source, **{"transfer.freeze_mapping": True}))
    checkpoint = load_checkpoint(source)
    assert same(state.G.mapping, checkpoint.G_ema.mapping)
    assert same(state.G_ema.mapping, checkpoint.G_ema.mapping)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"discriminator.freeze_layers": 8},
            "this discriminator has 7 layers that can be frozen, got 8; freeze fewer.",
        ),
        (
            {"resolution": 32, "discriminator.freeze_layers": 1},
            "freezing 1 would keep random weights in b32.fromrgb.weight; freeze fewer layers or none.",
        ),
        (
            {"label_dim": 2, "transfer.freeze_mapping": True},
            "a frozen mapping network would keep random weights in mapping.embed.weight; let it train.",
        ),
    ],
)
def test_random_weights_are_never_frozen(source, changes, message):
    config = transfer_config(source, **changes)
    for refuse in (lambda: transfer_report(load_checkpoint(source), config), lambda: started(config)):
        with pytest.raises(ConfigError) as error:
            refuse()
        assert str(error.value) == message


def test_freezing_needs_weights_to_start_from():
    for name, value in FROZEN.items():
        with pytest.raises(ConfigError, match="would keep random weights; start from a checkpoint, or freeze nothing"):
            tiny_config("unused", **{name: value})


def test_networks_of_another_generation_are_named(source):
    text = (
        "`cfg` minimal-tiny16 trains networks of minimal, but the checkpoint holds those of stylegan2; choose a `cfg`"
    )
    with pytest.raises(ConfigError, match=text):
        require_architecture(load_checkpoint(source), "minimal-tiny16", "minimal")


def test_a_run_means_its_newest_snapshot_whatever_it_learns_later(source, tmp_path):
    for kimg in ("000001", "000002"):
        save(load_checkpoint(source), tmp_path / "run/snapshots" / kimg)
    config = transfer_config(tmp_path / "run")
    assert config.transfer.source == str(tmp_path / "run/snapshots/000002")


def test_a_run_killed_before_its_first_snapshot_resumes_without_its_source(source, tmp_path):
    copied = tmp_path / "source"
    shutil.copytree(source, copied)
    config = transfer_config(copied, tiny_images(tmp_path / "images"), kimg=0.032)
    run = new_run_folder(tmp_path, config, "killed")
    stop = threading.Event()
    stop.set()
    ticks = train(config.model_copy(update={"tick_kimg": 1}), run, stop=stop)
    with mock.patch("stylegan.training.loop.train_step", side_effect=MemoryError), pytest.raises(MemoryError):
        next(ticks)
    shutil.rmtree(copied)
    first = load_checkpoint(run)
    assert (first.nimg, same(first.D, load_checkpoint(source).D)) == (0, True)
    assert [tick.nimg for tick in train(config, run)] == [32]


def test_settings_of_another_run_go_over_except_for_its_beginning_and_its_data():
    settings = {
        "augment.ada_kimg": 500, "augment.target": 0.5, "ema_rampup": 0.05, "growing": None, "blur.init_sigma": 2,
        "growing.lr": {}, "generator.img_resolution": 32, "generator.w_dim": 64, "discriminator.c_dim": 3, "batch": 4,
    }  # fmt: skip
    assert settings_to_take_over(settings) == {"augment.target": 0.5, "generator.w_dim": 64, "batch": 4}


def test_average_magnitudes_follow_the_batch_of_the_new_run(tmp_path):
    args = {"img_resolution": 16, "num_layers": 3, "channel_base": 64, "channel_max": 8, "mapping_layers": 1}
    save(Checkpoint(G_ema=stylegan3.Generator(**args, magnitude_ema_beta=0.9)), tmp_path / "net")
    settings = open_start(tmp_path / "net").settings()
    assert "generator.magnitude_ema_beta" not in settings
    assert settings["generator.channel_base"] == 64


def test_transferred_run_resumes_bit_for_bit_and_says_where_it_came_from(source, tmp_path):
    images = tiny_images(tmp_path / "images")
    config = transfer_config(source, images, kimg=0.048, **FROZEN)
    whole, parts = (new_run_folder(tmp_path, config, name) for name in ("whole", "parts"))
    for _ in train(config, whole):
        pass
    for kimg in (0.024, 0.048):
        for _ in train(config.model_copy(update={"kimg": kimg}), parts):
            pass
    a, b = (load_checkpoint(run) for run in (whole, parts))
    for name in ("G", "D", "G_ema"):
        assert same(getattr(a, name), getattr(b, name)), name
    assert same(a.G.mapping, load_checkpoint(source).G_ema.mapping)
    assert torch.equal(a.D.b16.conv0.weight, load_checkpoint(source).D.b16.conv0.weight)
    assert a.licence == "CC-BY-4.0"
    assert a.origin == f"trained by stylegan on images, 0.048 kimg, from the weights of {source} (a friend)"
