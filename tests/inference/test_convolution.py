"""Every prepared form computes the layer's convolution."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from stylegan.inference import convolution as prepared_convolution
from stylegan.inference.convolution import _CompiledWinograd, _Plain, _Winograd, prepare
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


@pytest.mark.parametrize(
    ("channels", "resolution", "uncompiled", "compiled"),
    [
        (512, 8, _Plain, _CompiledWinograd),
        (512, 4, _Plain, _Plain),
        (512, 16, _Winograd, _CompiledWinograd),
        (256, 16, _Plain, _CompiledWinograd),
        (256, 32, _Winograd, _CompiledWinograd),
        (128, 256, _Plain, _CompiledWinograd),
        (64, 32, _Plain, _Plain),
        (32, 1024, _Plain, _Plain),
    ],
)
def test_winograds_form_is_chosen_where_it_was_measured_to_be_faster(channels, resolution, uncompiled, compiled):
    weight = torch.zeros(channels, channels, 3, 3)
    for compile, expected in ((False, uncompiled), (True, compiled)):
        assert type(prepare(weight, torch.float32, None, resolution, compile)) is expected
        assert type(prepare(weight, torch.bfloat16, None, resolution, compile)) is _Plain


def test_winograds_form_is_prepared_when_it_is_first_used():
    torch.manual_seed(0)
    weight, x = torch.randn(3, 4, 3, 3), torch.randn(1, 4, 6, 6)
    form = _Winograd(weight, torch.float32)
    assert [name for name, _ in form.named_buffers()] == ["weight"]
    assert_close(form(x), F.conv2d(x, weight, padding=1), rtol=1e-4, atol=1e-4)
    assert [name for name, _ in form.named_buffers()] == ["weight", "factors"]
    assert torch.equal(copy.deepcopy(form)(x), form(x))


def test_an_exported_graph_has_the_plain_convolution():
    form = _Winograd(torch.randn(3, 4, 3, 3), torch.float32)
    form(x := torch.randn(1, 4, 6, 6))
    operations = [str(node.target) for node in torch.export.export(form, (x,), strict=False).graph.nodes]
    assert any("conv2d" in name for name in operations)
    assert not any("bmm" in name for name in operations)
