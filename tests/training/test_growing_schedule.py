"""Progressive growing: the schedule of ProGAN App. A, and what follows from a stage."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stylegan.training.assemble import Images, from_preset
from stylegan.training.config import GrowingConfig
from stylegan.training.growing import enter_stage, fade, stage, stage_configs
from stylegan.training.state import create_state

PROGAN = GrowingConfig(initial_resolution=4)
STYLEGAN1 = GrowingConfig(initial_resolution=8)


@pytest.mark.parametrize(
    ("kimg", "lod", "resolution"),
    [(0, 8, 4), (599, 8, 4), (600, 8, 4), (900, 7.5, 8), (1200, 7, 8), (1800, 7, 8), (2100, 6.5, 16), (2400, 6, 16),
     (9000, 1, 512), (9300, 0.5, 1024), (9600, 0, 1024), (12000, 0, 1024)],
)  # fmt: skip
def test_progan_trains_600_kimg_at_a_resolution_and_fades_the_next_in_over_600(kimg, lod, resolution):
    assert stage(kimg * 1000, 1024, PROGAN) == (pytest.approx(lod), resolution)


def test_stylegan1_begins_at_8_and_is_grown_up_a_phase_earlier():
    assert stage(0, 1024, STYLEGAN1) == (7, 8)
    assert stage(8_100_000, 1024, STYLEGAN1) == (0.5, 1024) == stage(9_300_000, 1024, PROGAN)


@given(st.integers(0, 15_000_000), st.integers(0, 10_000), st.sampled_from([8, 64, 1024]))
def test_the_level_of_detail_never_rises_and_never_jumps(nimg, more, size):
    before, after = stage(nimg, size, PROGAN), stage(nimg + more, size, PROGAN)
    assert 0 <= before.lod - after.lod <= more / 600_000 + 1e-9
    assert before.resolution == size // 2 ** int(before.lod)


def test_a_rate_of_a_resolution_keeps_what_sets_the_rates_of_groups_apart():
    """The mapping network learns slower, and D's share of the steps is that of lazy R1."""
    growing = {"initial_resolution": 8, "training_kimg": 0.01, "transition_kimg": 0.01, "lr": {16: 0.004}}
    changes = {"mapping_lr": 0.0001, "g_lr": 0.002, "d_lr": 0.002, "r1_interval": 16, "separate_regularization": True}
    config = from_preset("stylegan1-tiny16", Images("unused", 16), {**changes, "growing": growing, "pl_weight": 0})
    state = create_state(config, torch.device("cpu"))

    def rates() -> list[float]:
        enter_stage(state, config)
        return [group["lr"] for optimizer in (state.G_opt, state.D_opt) for group in optimizer.param_groups]

    assert rates() == pytest.approx([0.002, 0.0001, 0.002 * 16 / 17])
    state.nimg = 10**6
    assert rates() == pytest.approx([0.004, 0.0002, 0.004 * 16 / 17])


def test_a_micro_batch_has_as_many_pixels_at_every_resolution():
    growing = {"initial_resolution": 4, "training_kimg": 0.01, "transition_kimg": 0.01, "batch": {8: 32}}
    config = from_preset("progan-tiny16", Images("unused", 16), {"batch": 64, "micro_batch": 2, "growing": growing})
    sizes = {side: (now.batch, now.micro_batch) for side, now in stage_configs(config).items()}
    assert sizes == {4: (64, 32), 8: (32, 8), 16: (64, 2)}


def test_images_fade_as_networks_do():
    img = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def halved(k: int) -> torch.Tensor:
        return img.reshape(2, 3, 16 // k, k, 16 // k, k).mean([3, 5]).repeat_interleave(k, 2).repeat_interleave(k, 3)

    assert fade(img, 0) is img
    torch.testing.assert_close(fade(img, 1.0), halved(2))
    torch.testing.assert_close(fade(img, 0.25), 0.75 * img + 0.25 * halved(2))
    torch.testing.assert_close(fade(img, 1.5), 0.5 * halved(2) + 0.5 * halved(4))
    torch.testing.assert_close(fade(img, 2.0), halved(4))
