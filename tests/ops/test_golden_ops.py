"""Every op gives the recorded outputs of the references."""

import pytest
import torch
from golden import R, assert_matches

from stylegan.ops import (
    downsample2d,
    filter2d,
    filtered_lrelu,
    modulated_conv2d,
    resample_conv2d,
    setup_filter,
    upfirdn2d,
    upsample2d,
)

SYM6 = [
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
]  # fmt: skip
FILTERS = {"1331": [1, 3, 3, 1], "121": [1, 2, 1], "sym6": SYM6}


def test_upfirdn2d_matches_the_recorded_outputs():
    x, f2, f1 = R(3, [2, 3, 7, 5]), R(4, [3, 4]), R(5, [5])
    assert_matches("up_a", upfirdn2d(x, f2, up=(2, 3), down=(3, 2), pad=(2, 1, 3, -1), gain=1.7))
    assert_matches("up_b", upfirdn2d(x, f2, up=2, pad=3, flip_filter=True))
    assert_matches("up_c_separable", upfirdn2d(x, f1, up=2, down=2, pad=(1, 2, 3, 4), gain=2))


@pytest.mark.parametrize("name", FILTERS)
def test_resampling_matches_the_recorded_outputs(name):
    x, f = R(6, [1, 2, 8, 6]), setup_filter(FILTERS[name])
    assert_matches(f"upsample2d_{name}", upsample2d(x, f))
    assert_matches(f"downsample2d_{name}", downsample2d(x, f))
    assert_matches(f"filter2d_{name}", filter2d(x, f))


@pytest.mark.parametrize("flip_weight", [1, 0])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("k", [3, 1])
def test_resample_conv2d_matches_the_recorded_outputs(k, up, down, flip_weight):
    x, f = R(8, [2, 3, 8, 8]), setup_filter([1, 3, 3, 1])
    weight = R(7, [4, 3, 3, 3]) if k == 3 else R(9, [4, 3, 1, 1])
    y = resample_conv2d(x, weight, f, up=up, down=down, padding=k // 2, flip_weight=bool(flip_weight))
    assert_matches(f"convres_k{k}_up{up}_down{down}_flipw{flip_weight}", y)


def test_modulated_conv2d_matches_the_recorded_outputs():
    x, weight, s, f = R(8, [2, 3, 8, 8]), R(7, [4, 3, 3, 3]), 0.5 * R(10, [2, 3]) + 1.2, setup_filter([1, 3, 3, 1])
    assert_matches("modconv_demod_up2", modulated_conv2d(x, weight, s, up=2, f=f, flip_weight=False))
    assert_matches("modconv_nodemod", modulated_conv2d(x, weight, s, demodulate=False))
    gained = modulated_conv2d(x, weight, s, padding=2, input_gain=torch.tensor(0.7))
    assert_matches("modconv3_demod", gained)


def test_filtered_lrelu_matches_the_recorded_outputs():
    x, fu, b = R(8, [2, 3, 8, 8]), R(11, [8]), R(14, [3])
    options = {"up": 2, "down": 2, "pad": (5, 4, 3, 6), "gain": 1.3, "slope": 0.1, "clamp": 2}
    assert_matches("filtered_lrelu_sep", filtered_lrelu(x, fu, R(12, [6]), b, **options))
    assert_matches("filtered_lrelu_full", filtered_lrelu(x, fu, R(13, [6, 6]), b, up=4, down=2, pad=(-3, -2, 1, 0)))
