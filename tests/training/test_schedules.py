"""Settings that change along half a cosine."""

import pytest
import torch

from stylegan.errors import ConfigError
from stylegan.training.assemble import Images, from_preset
from stylegan.training.schedules import anneal, annealed, cosine
from stylegan.training.state import create_state

CHANGES = {
    "anneal.kimg": 2.0,
    "anneal.lr": 0.5,
    "anneal.gamma": 0.1,
    "anneal.beta2": 0.5,
    "anneal.ema_kimg": 1.0,
    "anneal.augment_p": 0.4,
    "augment.mode": "fixed",
    "augment.p": 0.0,
}


def config(**changes):
    return from_preset("tiny16", Images("", 16), {**CHANGES, **changes})


def test_half_a_cosine_goes_from_start_to_end_and_stays():
    values = [cosine(3, 1, progress) for progress in (0, 0.25, 0.5, 0.75, 1, 7)]
    assert values == pytest.approx([3, 2 + 0.5**0.5, 2, 2 - 0.5**0.5, 1, 1])


def test_settings_are_halfway_at_half_of_the_time():
    now = annealed(config(r2_gamma=3.0), 1000)
    assert (now.g_lr, now.d_lr) == pytest.approx((0.0025 * 0.75, 0.0025 * 0.75))
    assert (now.r1_gamma, now.r2_gamma) == pytest.approx((0.55, 1.65))
    assert now.adam_betas == pytest.approx((0, (0.99 + 0.5) / 2))
    assert (now.ema_kimg, now.augment.p) == pytest.approx((3, 0.2))


def test_a_run_without_schedules_is_left_alone():
    plain = from_preset("tiny16", Images("", 16))
    state = create_state(plain, torch.device("cpu"))
    before = state.D_opt.state_dict()
    assert anneal(state, plain) is plain
    assert state.D_opt.state_dict() == before


def test_optimizers_and_augmentation_follow_whatever_they_were_before():
    settings = config(mapping_lr=0.001)
    state = create_state(settings, torch.device("cpu"))
    for nimg in (2000, 500, 2000):
        state.nimg = nimg
        anneal(state, settings)
    synthesis, mapping = state.G_opt.param_groups
    (d,) = state.D_opt.param_groups
    lazy_g, lazy_d = 4 / 5, 16 / 17  # StyleGAN2 App. B
    assert synthesis["lr"] == pytest.approx(0.00125 * lazy_g)
    assert mapping["lr"] == pytest.approx(0.0005 * lazy_g)
    assert d["lr"] == pytest.approx(0.00125 * lazy_d)
    assert (mapping["betas"][1], d["betas"][1]) == pytest.approx((0.5**lazy_g, 0.5**lazy_d))
    assert float(state.augment.p) == pytest.approx(0.4)


def test_the_start_of_a_schedule_is_what_the_optimizers_begin_with():
    settings = config(mapping_lr=0.001)
    state = create_state(settings, torch.device("cpu"))
    begin = [[(g["lr"], g["betas"]) for g in opt.param_groups] for opt in (state.G_opt, state.D_opt)]
    anneal(state, settings)
    assert begin == [[(g["lr"], g["betas"]) for g in opt.param_groups] for opt in (state.G_opt, state.D_opt)]


def test_ends_without_a_time_are_refused():
    with pytest.raises(ConfigError, match=r"needs to know the time until the end; set `anneal\.kimg`"):
        from_preset("tiny16", Images("", 16), {"anneal.lr": 0.5})
