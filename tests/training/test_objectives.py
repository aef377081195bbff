"""The other objectives, and how their regularizers join in."""

import copy

import pytest
import torch

from stylegan.training import phases
from stylegan.training.assemble import Images, from_preset
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.state import create_state


def new_state(cfg: str, label_dim: int = 0, **changes):
    config = from_preset(cfg, Images("unused", 16, label_dim=label_dim), {"device": "cpu", **changes})
    state = create_state(config, torch.device("cpu"))
    c = torch.eye(label_dim)[torch.arange(config.batch) % label_dim] if label_dim else torch.zeros(config.batch, 0)
    img = torch.randn(config.batch, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return state, config, MicroBatch(img, c, c)


def names(state, config):
    return [phase.name for phase in phases.due_phases(state, config)]


def test_minimal_adds_its_regularizers_to_the_main_step_every_4_and_32_steps_the_latter_after_5000():
    state, config, _ = new_state("minimal-tiny16")
    seen = {}
    for state.step in range(5200):
        for name in names(state, config):
            seen.setdefault(name, []).append(state.step)
    assert seen["discriminator_main+discriminator_r1"] == list(range(0, 5200, 4))
    assert seen["generator_main+generator_path_length"] == [5024, 5056, 5088, 5120, 5152, 5184]
    assert set(seen) == {
        "generator_main", "discriminator_main", "discriminator_main+discriminator_r1",
        "generator_main+generator_path_length",
    }  # fmt: skip


def test_minimal_has_its_own_rates_and_clips_the_gradient_of_each_group():
    state, config, _ = new_state("minimal-tiny16")
    synthesis, mapping = state.G_opt.param_groups
    assert (synthesis["lr"], mapping["lr"], synthesis["betas"]) == (1e-3, 1e-5, (0.0, 0.99))
    (main, _) = phases.due_phases(state, config)
    for p in state.G.parameters():
        p.grad = torch.full_like(p, 100.0)
    kept = []
    main.optimizer.register_step_pre_hook(
        lambda opt, *_: kept.extend(
            torch.cat([p.grad.flatten() for p in group["params"]]).norm() for group in opt.param_groups
        )
    )
    phases.apply_gradients(state, config, main, 1)
    assert torch.stack(kept).tolist() == pytest.approx([1, 1], rel=1e-4)


def test_minimal_never_trains_its_blur():
    state, config, batch = new_state("minimal-tiny16", pl_start=0)
    before = {k: v.clone() for k, v in state.G.state_dict().items() if "smooth" in k}
    train_step(state, config, [batch])
    assert before
    assert all(torch.equal(v, state.G.state_dict()[k]) for k, v in before.items())


def test_a_regularizer_of_every_step_shares_the_main_step_at_the_full_rate():
    state, config, _ = new_state("tiny16", r1_interval=1, pl_interval=1)
    assert names(state, config) == ["generator_main+generator_path_length", "discriminator_main+discriminator_r1"]
    assert [opt.param_groups[0]["lr"] for opt in (state.G_opt, state.D_opt)] == [config.g_lr, config.d_lr]


@pytest.mark.parametrize(("start", "steps"), [(0, (0, 32)), (40, (64, 96))])
def test_a_path_length_penalty_with_the_previous_mean_is_zero_at_first(start, steps):
    """A first step that is no multiple of the interval, such as the 5000 of the preset, changes nothing."""
    state, config, batch = new_state("minimal-tiny16", pl_start=start)
    for step in steps:
        state.step = step
        train_step(state, config, [batch])
        stats = state.statistics.collect()
        assert (stats["Loss/pl_penalty"]["mean"] == 0) == (step == steps[0])
        assert stats["Loss/pl_length"]["mean"] > 0


@pytest.mark.parametrize("cfg", ["progan-tiny16", "stylegan1-tiny16"])
def test_blocks_that_have_not_grown_yet_stay_as_they_were_bit_for_bit(cfg):
    state, config, batch = new_state(cfg, adam_betas=(0.5, 0.99))
    for network in (state.G, state.D):
        network.lod.fill_(1.0)
    state.lod = 1.0
    before = [copy.deepcopy(network.state_dict()) for network in (state.G, state.D)]
    for _ in range(2):
        train_step(state, config, [batch])
    for network, old in zip((state.G, state.D), before, strict=True):
        moved = {name for name, p in network.named_parameters() if not torch.equal(p, old[name])}
        assert moved
        assert not [name for name in moved if "b16" in name]


@pytest.mark.parametrize("cfg", ["progan-tiny16", "stylegan1-tiny16", "stylegan3-t-tiny16"])
def test_conditional_networks_of_the_other_generations_take_a_step(cfg):
    state, config, batch = new_state(cfg, label_dim=3)
    before = [p.clone() for p in state.G.parameters()]
    train_step(state, config, [batch])
    stats = state.statistics.collect()
    assert ("Loss/D/labels" in stats) == (cfg == "progan-tiny16")
    assert any(not torch.equal(a, b) for a, b in zip(before, state.G.parameters(), strict=True))
