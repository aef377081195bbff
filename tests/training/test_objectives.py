"""The other objectives, and how their regularizers join in."""

import copy

import pytest
import torch

from stylegan.losses.r1 import approximate_r1_penalty
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
    main.players[0].optimizer.register_step_pre_hook(
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


R3GAN = {"objective": "relativistic", "r1_interval": 1, "r2_gamma": 2.0}
APPROXIMATE = {"penalty": "approximate"}
AUGMENTED = {"augment.mode": "fixed", "augment.p": 1.0}


def test_r1_and_r2_share_their_lazy_step_and_either_can_be_alone():
    for changes, shared in (
        ({"r2_gamma": 2.0}, "discriminator_r1+discriminator_r2"),
        ({"r1_gamma": 0.0, "r2_gamma": 2.0}, "discriminator_r2"),
        ({}, "discriminator_r1"),
    ):
        state, config, _ = new_state("tiny16", **changes)
        assert names(state, config)[2:] == ["discriminator_main", shared]
        state.step = 1
        assert names(state, config) == ["generator_main", "discriminator_main"]


def test_r3gan_takes_the_pairing_loss_and_both_penalties_in_one_step_of_the_discriminator():
    state, config, _ = new_state("tiny16", pl_weight=0.0, **R3GAN)
    assert names(state, config) == [
        "generator_relativistic",
        "discriminator_relativistic+discriminator_r1+discriminator_r2",
    ]
    assert state.D_opt.param_groups[0]["lr"] == config.d_lr


def test_r2_is_as_many_times_stronger_as_it_is_rarer():
    grads = []
    for interval in (1, 4):
        state, config, batch = new_state("tiny16", r2_gamma=2.0, r1_interval=interval)
        state.D.requires_grad_(True)
        torch.manual_seed(0)
        phases.discriminator_r2(state, config, batch)
        grads.append(state.D.b16.conv0.weight.grad)
    torch.testing.assert_close(grads[1], 4 * grads[0])
    assert grads[0].any()


def test_the_relativistic_loss_pairs_images_of_equal_labels():
    """Labels drawn for generated images are of no use to it: any others give the same step."""
    state, config, batch = new_state("tiny16", label_dim=3, objective="relativistic")
    asked = []
    state.D.register_forward_pre_hook(lambda module, inputs: asked.append(inputs[1]))
    other = batch._replace(fake_c=batch.fake_c.roll(1, 0))
    for loss in (phases.generator_relativistic, phases.discriminator_relativistic):
        state.D.requires_grad_(loss is phases.discriminator_relativistic)
        state.G.requires_grad_(loss is phases.generator_relativistic)
        loss(state, config, other)
    assert len(asked) == 4
    assert all(torch.equal(c, batch.real_c) for c in asked)


def test_the_generator_does_not_learn_from_real_images_through_the_discriminator():
    state, config, batch = new_state("tiny16", objective="relativistic")
    state.G.requires_grad_(True)
    batch.real_img.requires_grad_(True)
    phases.generator_relativistic(state, config, batch)
    assert batch.real_img.grad is None
    assert state.G.synthesis.b16.conv0.weight.grad.any()
    assert "Loss/scores/real" not in state.statistics.collect()  # counted in the step of the discriminator, once
    assert state.signs.tolist() == [0, 0]


def test_an_approximate_penalty_augments_the_disturbed_image_like_the_image():
    state, config, batch = new_state("tiny16", penalty_sigma=1e-6, **APPROXIMATE, **AUGMENTED)
    seen = []
    state.D.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    phases.slope_penalty(state, config, batch.real_img, batch.real_c)
    clean, disturbed = seen
    assert not torch.equal(clean, disturbed)
    torch.testing.assert_close(disturbed, clean, rtol=0, atol=1e-3)
    assert (clean - batch.real_img).abs().mean() > 0.1


def test_every_approximate_penalty_draws_its_own_noise_and_augmentation():
    state, config, batch = new_state("tiny16", **APPROXIMATE, **AUGMENTED)
    seen = []
    state.D.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    for _ in range(2):
        phases.slope_penalty(state, config, batch.real_img, batch.real_c)
    assert (seen[0] - seen[2]).abs().mean() > 0.1


def test_an_approximate_penalty_takes_no_second_derivatives(monkeypatch):
    state, config, batch = new_state("tiny16", r2_gamma=2.0, pl_weight=0.0, **APPROXIMATE)
    monkeypatch.setattr(torch.autograd, "grad", None)
    train_step(state, config, [batch])
    stats = state.statistics.collect()
    assert stats["Loss/r1_penalty"]["mean"] > 0
    assert stats["Loss/r2_penalty"]["mean"] > 0


def test_an_approximate_penalty_is_computed_in_float32_since_bfloat16_hides_the_disturbance():
    penalties = []
    for precision in ("fp32", "bf16"):
        state, config, batch = new_state("tiny16", precision=precision, **APPROXIMATE)
        torch.manual_seed(0)
        penalties.append(phases.slope_penalty(state, config, batch.real_img, batch.real_c)[0])
        assert state.D.precision == precision
    assert torch.equal(*penalties)
    noise = config.penalty_sigma * torch.randn_like(batch.real_img)
    logits = [state.D(img, batch.real_c) for img in (batch.real_img, batch.real_img + noise)]
    rounded = approximate_r1_penalty(*logits, config.penalty_sigma)
    print(f"in float32 {float(penalties[0].mean()):.3g}, in bfloat16 {float(rounded.mean()):.3g}")
    assert rounded.mean() > 1.5 * penalties[0].mean()


def test_the_approximate_penalty_of_a_discriminator_is_the_exact_one_on_average():
    """Minibatch statistics are off: through them, an image changes the logits of others too."""
    state, config, batch = new_state("tiny16", **{"discriminator.mbstd_num_channels": 0}, penalty_sigma=0.003)
    exact, _ = phases.slope_penalty(state, config, batch.real_img, batch.real_c)
    config = config.model_copy(update=APPROXIMATE)
    torch.manual_seed(0)
    with torch.no_grad():
        draws = [phases.slope_penalty(state, config, batch.real_img, batch.real_c)[0] for _ in range(300)]
    ratio = float(torch.stack(draws).mean() / exact.detach().mean())
    print(f"mean of the approximate penalty / exact penalty: {ratio:.3f}")
    assert ratio == pytest.approx(1, abs=0.1)  # 2400 draws of a squared normal number: a standard error of 0.03


def test_the_gradient_of_the_approximate_penalty_of_a_smooth_discriminator_points_where_the_exact_one_does():
    """Smooth by softplus: where leaky ReLU has kinks, the exact gradient ignores that they move."""
    smooth = {"discriminator.mbstd_num_channels": 0, "discriminator.activation": "softplus"}
    state, config, batch = new_state("tiny16", r1_gamma=2.0, r1_interval=1, **smooth)
    gradients = []
    for penalty, draws in (("exact", 1), ("approximate", 200)):
        state.D.requires_grad_(True)
        for _ in range(draws):
            phases.discriminator_r1(state, config.model_copy(update={"penalty": penalty}), batch)
        found = [torch.zeros_like(p) if p.grad is None else p.grad / draws for p in state.D.parameters()]
        gradients.append(torch.cat([g.flatten() for g in found]))
        state.D.zero_grad(set_to_none=True)
    cosine = torch.cosine_similarity(*gradients, dim=0)
    print(f"cosine {cosine:.4f}, ratio of lengths {gradients[1].norm() / gradients[0].norm():.3f}")
    assert cosine > 0.99
    assert float(gradients[1].norm() / gradients[0].norm()) == pytest.approx(1, abs=0.1)
