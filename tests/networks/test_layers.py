"""Layers with equalized learning rate."""

import math

import pytest
import reference
import torch
import torch.nn.functional as F
from derivatives import channels_last, is_channels_last
from torch import nn
from torch.testing import assert_close

from stylegan.networks.layers import EqualizedConv2d, EqualizedLinear, frozen
from stylegan.ops import setup_filter

DTYPES = [torch.float16, torch.bfloat16, torch.float32]


def test_linear_scales_weight_and_bias_at_run_time():
    layer = EqualizedLinear(9, 4, activation="lrelu", lr_multiplier=0.01, bias_init=5)
    x = torch.randn(2, 9)
    expected = F.leaky_relu(x @ layer.weight.t() * 0.01 / 3 + 0.01 * 5, 0.2) * math.sqrt(2)
    assert_close(layer(x), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_frozen_layer_computes_the_same_numbers_and_leaves_the_original(dtype):
    layer = EqualizedLinear(9, 4, activation="lrelu", lr_multiplier=0.01, bias_init=5)
    x = torch.randn(2, 9).to(dtype)
    still = frozen(nn.Sequential(layer))
    assert torch.equal(still(x), layer(x))
    assert still[0].scaled()[0] is still[0].scaled()[0]
    assert not still[0].scaled()[0].requires_grad
    assert still.state_dict().keys() == nn.Sequential(layer).state_dict().keys()
    assert layer.scaled_weight is None
    assert layer.weight.requires_grad


@pytest.mark.parametrize("lr_multiplier", [1.0, 0.01])
def test_a_fresh_linear_layer_keeps_unit_variance_whatever_its_learning_rate(lr_multiplier):
    layer = EqualizedLinear(256, 256, lr_multiplier=lr_multiplier)
    assert layer.weight.std().item() == pytest.approx(1 / lr_multiplier, rel=0.02)
    assert layer(torch.randn(64, 256)).std().item() == pytest.approx(1, rel=0.05)


def test_a_smaller_learning_rate_multiplier_makes_one_step_move_the_output_less():
    moved = []
    for lr_multiplier in (1.0, 0.01):
        layer = EqualizedLinear(16, 16, lr_multiplier=lr_multiplier)
        x = torch.ones(1, 16)
        before = layer(x)
        with torch.no_grad():
            layer.weight += 0.1
        moved.append((layer(x) - before).abs().mean().item())
    assert moved[1] == pytest.approx(moved[0] / 100, rel=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_of_the_input_is_kept(dtype):
    assert EqualizedLinear(3, 4)(torch.randn(2, 3).to(dtype)).dtype == dtype
    y = EqualizedConv2d(3, 4, 3, activation="lrelu")(channels_last(torch.randn(2, 3, 4, 4).to(dtype)))
    assert y.dtype == dtype
    assert is_channels_last(y)


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("kernel", [1, 3])
def test_convolution_is_the_reference_with_scaled_weights(kernel, up, down):
    layer = EqualizedConv2d(4, 5, kernel, activation="lrelu", up=up, down=down, resample_filter=[1, 2, 4])
    torch.nn.init.normal_(layer.bias)
    x, f = torch.randn(2, 4, 6, 6), setup_filter([1, 2, 4])
    # Up-sampling layers are stored for true convolution, the others for correlation.
    options = {"up": up, "down": down, "padding": kernel // 2, "flip_weight": up == 1}
    expected = reference.resample_conv2d(x, layer.weight / math.sqrt(4 * kernel**2), f, **options)
    y = layer(x)
    assert y.shape == (2, 5, 6 * up // down, 6 * up // down)
    assert_close(y, reference.bias_act(expected, layer.bias, act="lrelu"))


def test_gain_scales_the_output_and_the_clamp_with_it():
    layer, x = EqualizedConv2d(3, 4, 1, activation="lrelu", conv_clamp=0.5), torch.randn(2, 3, 4, 4)
    assert layer(x).abs().max() == 0.5
    assert_close(layer(x, gain=0.5), layer(x) * 0.5)


def test_a_frozen_convolution_keeps_its_names_but_has_no_parameters():
    free, frozen = EqualizedConv2d(3, 4, 3), EqualizedConv2d(3, 4, 3, trainable=False)
    assert list(frozen.parameters()) == []
    assert set(frozen.state_dict()) == set(free.state_dict()) == {"weight", "bias", "resample_filter"}
    frozen.load_state_dict(free.state_dict())
    x = torch.randn(1, 3, 4, 4)
    assert torch.equal(frozen(x), free(x))


@pytest.mark.parametrize("trainable", [True, False])
def test_a_convolution_without_bias_stores_none(trainable):
    layer = EqualizedConv2d(3, 4, 1, bias=False, trainable=trainable)
    assert set(layer.state_dict()) == {"weight", "resample_filter"}
    assert layer(torch.zeros(1, 3, 2, 2)).abs().sum() == 0
