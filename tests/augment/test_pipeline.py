"""The augmentation pipe as a whole: recorded outputs, probabilities, channels, sizes, derivatives."""

import pytest
import torch
from derivatives import assert_differentiable_twice
from golden import RECORDS, R, assert_matches
from torch.testing import assert_close

from stylegan.augment import PRESETS, AugmentPipe, preset
from stylegan.augment.pipeline import MULTIPLIERS
from stylegan.augment.randomness import RandomDraws
from stylegan.errors import ConfigError, ShapeError

RECORDED = [name for name in RECORDS if name.startswith("aug_") and "_dp" in name]


def pipe_of(name: str, p: float = 1.0, **options) -> AugmentPipe:
    """A pipe of the preset or of the single transformation `name`."""
    pipe = AugmentPipe(**PRESETS.get(name, {name: 1.0}), **options)
    pipe.p.fill_(p)
    return pipe


@pytest.mark.parametrize("record", RECORDED)
def test_output_at_a_percentile_is_the_recorded_one(record):
    name, percentile = record.removeprefix("aug_").split("_dp")
    size = 32 if name == "imgfilter" else 16
    images = R(16, [2, 1, size, size]) if name.endswith("_gray") else R(15, [2, 3, size, size])
    y = pipe_of(name.removesuffix("_gray"))(images, debug_percentile=float(percentile))
    assert_matches(record, y)


def test_all_that_does_not_draw_pixels_is_recorded_at_two_percentiles():
    names = {*MULTIPLIERS, "bgc"} - {"noise"}
    expected = {f"aug_{name}_dp{percentile}" for name in names for percentile in (0.3, 0.8)}
    assert set(RECORDED) == expected | {"aug_color_gray_dp0.8"}


@pytest.mark.parametrize("name", [*PRESETS, *MULTIPLIERS])
def test_nothing_changes_at_p_0(name):
    images = R(15, [2, 3, 32, 32])
    assert_close(pipe_of(name, p=0)(images), images, rtol=0, atol=1e-5)


# what a transformation whose gate opened leaves unchanged: i = 0 of 2 or of 4
CHANGED = {"xflip": 1 / 2, "rotate90": 3 / 4, "lumaflip": 1 / 2}


@pytest.mark.parametrize("name", MULTIPLIERS)
def test_an_image_is_changed_with_probability_multiplier_times_p(name):
    n, multiplier, p = 4000, 0.5, 0.6
    ramp = torch.linspace(-1, 1, 24)
    images = (ramp[:, None] + 2 * ramp[None] ** 3 + torch.tensor([0, 0.3, -0.9])[:, None, None])[None].repeat(
        n, 1, 1, 1
    )
    pipe = AugmentPipe(**{name: multiplier}, xint_max=0.5, imgfilter_bands=(1, 0, 0, 0))
    pipe.p.fill_(p)
    # resampling alone changes less
    changed = ((pipe(images) - images).abs().amax([1, 2, 3]) > 1e-4).float().mean().item()
    expected = multiplier * p * CHANGED.get(name, 1)
    assert abs(changed - expected) < 4 * (expected * (1 - expected) / n) ** 0.5


def test_the_value_is_drawn_before_its_gate():
    images, pipe = torch.zeros(8, 1, 4, 4), pipe_of("brightness", p=0.5)
    torch.manual_seed(7)
    y = pipe(images)
    torch.manual_seed(7)
    b, gate = torch.randn(8) * 0.2, torch.rand(8)
    assert_close(y[:, 0, 0, 0], torch.where(gate < 0.5, b, 0))


def test_a_rotation_comes_before_or_after_stretching_as_often_as_rotate_times_p():
    pipe = pipe_of("rotate", p=0.6)
    G_inv = pipe._geometry(RandomDraws(20000, torch.device("cpu")), 16, 16)
    turned = (G_inv - torch.eye(3)).abs().amax([1, 2]) > 0
    assert abs(turned.float().mean().item() - 0.6) < 0.015


@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_takes_gray_rgb_and_rgba(name, channels, size):
    images = torch.randn(2, channels, size, size).clamp(-1, 1)
    pipe = pipe_of(name, p=0.9)
    if size < 22 and "imgfilter" in preset(name):
        with pytest.raises(ShapeError, match="at least 22x22 pixels, got 16x16; use a pipe without it, such as bgc"):
            pipe(images)
    else:
        y = pipe(images)
        assert y.shape == images.shape
        assert y.isfinite().all()


def test_images_need_not_be_square():
    images = torch.randn(3, 3, 24, 40)
    assert pipe_of("bgcfnc")(images).shape == images.shape


@pytest.mark.parametrize("multiplier", ["hue", "saturation"])
def test_hue_and_saturation_leave_gray_images_alone(multiplier):
    images = torch.randn(4, 1, 8, 8)
    assert torch.equal(pipe_of(multiplier)(images), images)


def test_a_seed_repeats_the_augmentation_and_every_image_gets_its_own():
    images, pipe = torch.randn(1, 3, 32, 32).repeat(3, 1, 1, 1), pipe_of("bgcfnc", p=0.9)
    torch.manual_seed(5)
    a = pipe(images)
    torch.manual_seed(5)
    assert torch.equal(pipe(images), a)
    assert not torch.allclose(a[0], a[1], atol=1e-2)
    assert not torch.equal(pipe(images), a)


@pytest.mark.parametrize("channels", [1, 3])
def test_numerical_differences_confirm_both_derivatives_of_the_whole_pipe(channels):
    pipe = AugmentPipe(**preset("bgc"), noise=1, cutout=1)
    pipe.p.fill_(0.8)

    def augment(images):
        torch.manual_seed(3)
        return pipe(images).tanh()  # something curved behind the linear pipe, as D is

    assert_differentiable_twice(augment, torch.randn(2, channels, 6, 5, dtype=torch.float64))


def test_numerical_differences_confirm_both_derivatives_of_image_space_filtering():
    pipe = pipe_of("imgfilter", p=0.8)

    def augment(images):
        torch.manual_seed(3)
        return pipe(images)[:, :, ::7, ::7].tanh()

    assert_differentiable_twice(augment, torch.randn(1, 1, 22, 22, dtype=torch.float64))


def test_state_holds_p_and_the_official_filters():
    shapes = {name: list(value.shape) for name, value in AugmentPipe().state_dict().items()}
    assert shapes == {"p": [], "Hz_geom": [12], "Hz_fbank": [4, 43]}


def test_a_pipe_without_transformations_returns_its_input():
    images = torch.randn(2, 5, 8, 8)
    assert AugmentPipe()(images) is images


def test_color_of_two_channels_is_refused_and_geometry_is_not():
    images = torch.randn(2, 2, 16, 16)
    assert pipe_of("bg")(images).shape == images.shape
    with pytest.raises(
        ShapeError, match="color augmentation takes images of 1, 3 or 4 channels, got 2; use the pipe bg"
    ):
        pipe_of("bgc")(images)


def test_wrong_settings_are_refused_in_a_sentence():
    with pytest.raises(ConfigError, match="the augmentation multiplier hue must be 0 or more, got -1."):
        AugmentPipe(hue=-1)
    with pytest.raises(ConfigError, match="imgfilter_bands takes 4 multipliers, got 3."):
        AugmentPipe(imgfilter_bands=(1, 1, 1))
    with pytest.raises(ShapeError, match=r"augmentation takes images \[N, C, H, W\], got shape \[3, 8, 8\]."):
        AugmentPipe()(torch.zeros(3, 8, 8))
    with pytest.raises(ConfigError, match="the augmentation pipe must be one of blit, geom, color, .* got 'bgd'."):
        preset("bgd")


def test_presets_add_up_group_by_group():
    assert set(preset("bg")) == set(preset("blit")) | set(preset("geom"))
    assert set(preset("bgc")) == set(preset("bg")) | set(preset("color"))
    assert set(preset("bgcfnc")) == set(MULTIPLIERS)
    assert set(preset("bgcfn")) == set(MULTIPLIERS) - {"cutout"}
    assert set(preset("bgcf")) == set(preset("bgcfn")) - {"noise"}
    assert all(multiplier == 1 for name in PRESETS for multiplier in preset(name).values())
