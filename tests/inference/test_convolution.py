"""Every prepared form computes the layer's convolution."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from stylegan.inference import convolution as prepared_convolution
from stylegan.inference.convolution import prepare
from stylegan.ops import resample_conv2d, setup_filter

FORMS = [getattr(prepared_convolution, name) for name in ("_Upsampling", "_PhaseUpsampling", "_ComposedUpsampling")]


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 1], [1, 2, 3, 4, 5]])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_upsamples_alike(form, taps):
    torch.manual_seed(0)
    f, weight, x = setup_filter(taps), torch.randn(5, 3, 3, 3), torch.randn(2, 3, 6, 7)
    expected = resample_conv2d(x, weight, f, up=2, padding=1, flip_weight=False)
    assert_close(form(weight, torch.float32, f)(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [8, 257])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_form_chosen_is_right_in_its_dtype(dtype, channels):
    torch.manual_seed(0)
    f, weight, x = setup_filter([1, 3, 3, 1]), torch.randn(4, channels, 3, 3), torch.randn(1, channels, 6, 6)
    expected = resample_conv2d(x, weight, f, up=2, padding=1, flip_weight=False)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.02 * channels**0.5}
    assert_close(prepare(weight, dtype, f, 12, False)(x.to(dtype)).float(), expected, **tolerance)
    plain = prepare(weight, dtype, None, 6, False)(x.to(dtype)).float()
    assert_close(plain, F.conv2d(x, weight, padding=1), **tolerance)
