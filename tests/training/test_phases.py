"""One step: which phases run, and what they may touch."""

import copy
import math

import pytest
import torch
from tiny_run import tiny_config

from stylegan.errors import ConfigError
from stylegan.training import phases
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.state import create_state


def new_state(**changes):
    config = tiny_config("unused", **changes)
    state = create_state(config, torch.device("cpu"))
    n = config.batch
    batch = MicroBatch(torch.randn(n, 3, 16, 16), torch.zeros(n, 0), torch.zeros(n, 0))
    return state, config, batch


def test_regularizers_run_every_few_steps_and_all_in_the_first():
    state, config, batch = new_state()
    seen = []
    for _ in range(17):
        train_step(state, config, [batch])
        seen.append(set(state.statistics.collect()))
    assert [i for i, names in enumerate(seen) if "Loss/pl_penalty" in names] == [0, 4, 8, 12, 16]
    assert [i for i, names in enumerate(seen) if "Loss/r1_penalty" in names] == [0, 16]
    assert (state.step, state.nimg) == (17, 17 * config.batch)


@pytest.mark.parametrize("phase", [0, 1, 2, 3])
def test_a_phase_leaves_gradients_in_its_own_network_only(phase):
    state, config, batch = new_state()
    chosen = phases.due_phases(state, config)[phase]
    chosen.accumulate(state, config, [batch])
    other = state.D if chosen.players[0].network is state.G else state.G
    assert all(p.grad is None for p in other.parameters())
    grads = {name: p.grad for name, p in chosen.players[0].network.named_parameters()}
    # Path lengths do not depend on additive color, nor the slope of D on its last bias: zero, so that moments decay.
    without = {name for name, g in grads.items() if not g.any()}
    assert not {name for name in without if not name.endswith("bias") and "noise_strength" not in name}
    unreached = {1: {f"synthesis.b{r}.torgb.bias" for r in (4, 8, 16)}, 3: {"b4.out.bias"}}
    assert unreached.get(phase, set()) <= without


def test_all_weights_of_a_network_have_taken_the_same_number_of_steps():
    state, config, batch = new_state(r1_interval=2)
    for _ in range(5):
        train_step(state, config, [batch])
    for optimizer, steps in ((state.G_opt, 5 + 2), (state.D_opt, 5 + 3)):
        held = [p for group in optimizer.param_groups for p in group["params"]]
        assert [int(optimizer.state[p]["step"]) for p in held] == [steps] * len(held)


def test_lazy_adam_makes_up_for_the_extra_steps():
    state, _, _ = new_state(g_lr=0.0025, d_lr=0.0025)
    g, d = state.G_opt.param_groups[0], state.D_opt.param_groups[0]
    assert g["lr"] == pytest.approx(0.002)
    assert g["betas"] == pytest.approx((0, 0.991992), abs=1e-6)
    assert d["lr"] == pytest.approx(0.0025 * 16 / 17)
    assert d["betas"] == pytest.approx((0, 0.990586), abs=1e-6)


def test_gradients_that_are_not_finite_are_replaced_and_counted():
    state, config, _ = new_state()
    chosen = phases.due_phases(state, config)[0]
    for p in chosen.players[0].network.parameters():
        p.grad = torch.zeros_like(p)
    first = next(chosen.players[0].network.parameters())
    first.grad.view(-1)[:3] = torch.tensor([math.nan, math.inf, -math.inf])
    before = copy.deepcopy(chosen.players[0].network.state_dict())
    phases.apply_gradients(state, config, chosen, 1)
    assert state.statistics.collect()["Health/nonfinite_gradients"]["mean"] == 3
    moved = (first.detach() - before[next(iter(dict(chosen.players[0].network.named_parameters())))]).view(-1)
    assert moved[0] == 0
    assert moved[1] < 0 < moved[2]
    assert all(p.isfinite().all() for p in chosen.players[0].network.parameters())


def test_style_mixing_takes_the_later_layers_from_a_second_latent():
    state, config, _ = new_state(style_mixing_prob=1.0)
    ws = phases.sample_ws(state, config, torch.zeros(4, 0))
    first, last = ws[:, 0], ws[:, -1]
    assert not torch.equal(first, last)
    rows = [torch.equal(ws[:, i], first) for i in range(state.G.num_ws)]
    cutoff = rows.index(False)
    assert all(torch.equal(ws[:, i], last) for i in range(cutoff, state.G.num_ws))
    state, config, _ = new_state(style_mixing_prob=0.0)
    ws = phases.sample_ws(state, config, torch.zeros(4, 0))
    assert torch.equal(ws[:, 0], ws[:, -1])


def test_only_the_discriminators_fake_pass_moves_the_average_w():
    state, config, batch = new_state()
    for chosen in phases.due_phases(state, config):
        before = state.G.mapping.w_avg.clone()
        for loss in chosen.losses if chosen.players[0].network is state.D else ():
            loss(state, config, batch)
        moved = not torch.equal(before, state.G.mapping.w_avg)
        assert moved == (chosen.losses == (phases.discriminator_main,))
        state.D.requires_grad_(True)


@pytest.mark.parametrize("phase", [0, 2, 3])
def test_discriminator_sees_augmented_images_only(phase):
    state, config, batch = new_state(**{"augment.mode": "fixed", "augment.p": 1.0})
    seen = []
    state.D.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    chosen = phases.due_phases(state, config)[phase]
    chosen.players[0].network.requires_grad_(True)
    for loss in chosen.losses:
        loss(state, config, batch)
    assert seen
    assert not any(torch.equal(img, batch.real_img) for img in seen)
    assert all(p.grad.isfinite().all() for p in chosen.players[0].network.parameters() if p.grad is not None)


@pytest.mark.parametrize(("target", "direction"), [(-1, 1), (1, -1)])
def test_augmentation_moves_towards_the_target_every_four_steps(target, direction):
    state, config, batch = new_state(**{"augment.mode": "ada", "augment.target": target, "augment.ada_kimg": 1})
    state.augment.p.fill_(0.4)
    strengths = []
    for _ in range(8):
        train_step(state, config, [batch])
        strengths.append(float(state.augment.p))
    move = direction * config.batch * 4 / 1000
    assert strengths == pytest.approx([0.4] * 3 + [0.4 + move] * 4 + [0.4 + 2 * move])
    assert state.signs.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("max_p", 1.5, "`augment.max_p` must be at most 1, got 1.5"),
        ("ada_kimg", 0, "`augment.ada_kimg` must be greater than 0, got 0"),
        ("interval", 0, "`augment.interval` must be at least 1, got 0"),
        ("pipe", "bgcf", "`augment.pipe` bgcf needs images of 22 pixels per side or more for its filter; use"),
    ],
)
def test_augmentation_that_cannot_be_is_refused_in_a_sentence(setting, value, message):
    with pytest.raises(ConfigError, match=message):
        tiny_config("unused", **{"augment.mode": "ada", f"augment.{setting}": value})


def test_without_augmentation_images_reach_the_discriminator_untouched():
    state, config, batch = new_state()
    assert state.augment is None
    seen = []
    state.D.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    state.D.requires_grad_(True)
    phases.discriminator_main(state, config, batch)
    assert torch.equal(seen[-1], batch.real_img)


def test_micro_batches_give_the_gradients_of_the_whole_batch():
    """Up to minibatch statistics, which act on what is computed at once; so without them."""
    state, config, batch = new_state(**{"discriminator.mbstd_num_channels": 0})
    chosen = phases.due_phases(state, config)[3]
    kept = []
    for parts in ([batch], [MicroBatch(*(x[i : i + 2] for x in batch)) for i in range(0, 8, 2)]):
        state.D.requires_grad_(True)
        for part in parts:
            phases.discriminator_r1(state, config, part)
        kept.append([p.grad / len(parts) for p in state.D.parameters() if p.grad is not None])
        chosen.players[0].optimizer.zero_grad(set_to_none=True)
    torch.testing.assert_close(kept[0], kept[1], rtol=1e-4, atol=1e-6)


R3GAN = {"objective": "relativistic", "r1_interval": 1, "r2_gamma": 2.0, "penalty": "approximate"}


@pytest.mark.parametrize("changes", [{}, R3GAN], ids=["exact", "relativistic with approximate penalties"])
def test_compiled_phases_take_the_same_step(monkeypatch, changes):
    compiler = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, **options: compiler(function, backend="aot_eager", **options)
    )
    stepped = {}
    for compiled in (False, True):
        state, config, batch = new_state(compile=compiled, **changes)
        batch = batch._replace(real_img=torch.randn(batch.real_img.shape, generator=torch.Generator().manual_seed(1)))
        torch.manual_seed(2)
        train_step(state, config, [batch])  # all phases; path length and exact penalties take second derivatives
        stepped[compiled] = state
    for network in ("G", "D"):
        for eager, fast in zip(*(getattr(stepped[c], network).parameters() for c in (False, True)), strict=True):
            torch.testing.assert_close(fast, eager, rtol=1e-4, atol=1e-4)


def test_the_whole_step_of_the_discriminator_is_compiled_with_approximate_penalties(monkeypatch):
    compiled = []
    monkeypatch.setattr(
        torch, "compile", lambda function, **_: lambda *args: compiled.append(function) or function(*args)
    )
    state, config, batch = new_state(compile=True, **R3GAN)
    called = []
    state.D.register_forward_pre_hook(lambda module, inputs: called.append(module))
    state.D.requires_grad_(True)
    for loss in phases.due_phases(state, config)[-1].losses:
        loss(state, config, batch)
    assert len(called) == 6  # two of the main loss, and two of each penalty
    assert compiled.count(state.D) == 6


def test_a_compiled_network_still_follows_its_magnitudes(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    changes = {"architecture": "stylegan3", "generator.num_layers": 4, "generator.margin_size": 4}
    state, config, batch = new_state(compile=True, **changes)
    state.D.requires_grad_(True)
    phases.discriminator_main(state, config, batch)
    averages = [v for name, v in state.G.named_buffers() if name.endswith("magnitude_ema")]
    assert len(averages) == 5
    assert all(v != 1 for v in averages)


def test_one_stage_replaces_the_two_main_phases_and_keeps_the_regularizers():
    state, config, batch = new_state(one_stage=True)
    names = [[player.label for player in phase.players] for phase in phases.due_phases(state, config)]
    assert [phase.name for phase in phases.due_phases(state, config)] == [
        "one_stage", "generator_path_length", "discriminator_r1",
    ]  # fmt: skip
    assert names == [["G", "D"], ["G"], ["D"]]
    calls = []
    state.D.register_forward_hook(lambda *_: calls.append("D"))
    state.G.synthesis.register_forward_hook(lambda *_: calls.append("G"))
    phases.due_phases(state, config)[0].accumulate(state, config, [batch])
    assert calls == ["G", "D", "D"]  # in two stages G, D, G, D, D
