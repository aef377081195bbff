"""Bias, activation, gain, clamp."""

import math

import pytest
import reference
import torch
from derivatives import assert_differentiable_twice, assert_twins, channels_last, is_channels_last
from torch.testing import assert_close

from stylegan.errors import ConfigError
from stylegan.ops import bias_act
from stylegan.ops.bias_act import ACTIVATIONS


def away_from_kinks(*shape: int) -> torch.Tensor:
    """Numbers in ±[0.3, 0.7] and ±[1.4, 2.5]: with the bias below, no x + b comes near 0 and no output near 0.9."""
    magnitude = torch.where(
        torch.rand(shape) < 0.5, torch.empty(shape).uniform_(0.3, 0.5), torch.empty(shape).uniform_(1.6, 2.5)
    )
    return (magnitude * torch.randn(shape).sign()).double()


@pytest.mark.parametrize("clamp", [None, 0.9])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_fast_and_slow_agree_to_second_derivatives(act, clamp):
    x, b = torch.randn(3, 4, 5, 2, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    for gain in (None, 0.7, -1.3):
        options = {"act": act, "gain": gain, "clamp": clamp}
        assert_twins(lambda x, b: bias_act(x, b, **options), lambda x, b: reference.bias_act(x, b, **options), x, b)
        assert_twins(lambda x: bias_act(x, **options), lambda x: reference.bias_act(x, **options), x)


@pytest.mark.parametrize("clamp", [None, 0.9])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_numerical_differences_confirm_both_derivatives(act, clamp):
    x, b = away_from_kinks(2, 3, 4), torch.tensor([0.1, -0.1, 0.05], dtype=torch.float64)
    assert_differentiable_twice(lambda x, b: bias_act(x, b, act=act, gain=1.0, clamp=clamp), x, b)


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1.0, 3.0, -0.5])
def test_every_slope_of_leaky_relu_is_right(alpha):
    x, b = torch.randn(3, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    options = {"act": "lrelu", "alpha": alpha, "clamp": 1.5}
    assert_twins(lambda x, b: bias_act(x, b, **options), lambda x, b: reference.bias_act(x, b, **options), x, b)


def test_activations_give_the_published_numbers():
    x = torch.tensor([[-2.0, -1, 0, 1, 300]])
    lrelu = torch.tensor([[-0.565685, -0.282843, 0, 1.414214, 424.264]])
    assert_close(bias_act(x, act="lrelu"), lrelu, rtol=1e-5, atol=1e-6)
    assert_close(bias_act(x, act="lrelu", clamp=256), lrelu.clamp(max=256), rtol=1e-5, atol=1e-6)
    swish = torch.tensor([[-0.337157, -0.380341, 0, 1.033873, 424.264]])
    assert_close(bias_act(x, act="swish"), swish, rtol=1e-5, atol=1e-6)


def test_default_gains_are_those_of_the_papers():
    gains = {name: gain for name, (_, _, gain) in ACTIVATIONS.items()}
    root = {"relu", "lrelu", "swish"}
    assert gains == {name: math.sqrt(2) if name in root else 1.0 for name in reference.ACTIVATIONS}


@pytest.mark.parametrize("act", ["lrelu", "linear", "relu"])
def test_the_clamp_limits_the_value_after_the_gain_and_stops_the_gradient(act):
    x = torch.tensor([[0.5, 2.0, -40.0]], requires_grad=True)
    y = bias_act(x, act=act, gain=2.0, clamp=3.0)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.abs().max() <= 3
    assert y[0, 1] == 3
    assert gradient[0, :2].tolist() == [2, 0]
    assert gradient[0, 2] == 0


@pytest.mark.parametrize("clamp", [None, 1.5])
@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_a_compiled_leaky_relu_has_the_same_gradients(alpha, clamp):
    x = torch.tensor([-40.0, -2, -1, -0.25, 0, 0.5, 1.25, 3, 40])[:, None].requires_grad_()
    b = torch.tensor([0.25]).requires_grad_()

    def layer(x, b):
        return bias_act(x, b, act="lrelu", alpha=alpha, gain=1.0, clamp=clamp)

    def gradients(layer):
        return torch.autograd.grad(layer(x, b), [x, b], torch.linspace(1, 2, 9)[:, None])

    compiled = torch.compile(layer, backend="aot_eager", dynamic=False)
    assert_close(gradients(compiled), gradients(layer), rtol=0, atol=0)


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("act", ["lrelu", "tanh"])
def test_the_bias_is_added_along_the_given_dimension(act, dim):
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    b = torch.randn(x.shape[dim], dtype=torch.float64)
    options = {"act": act, "dim": dim}
    assert_twins(lambda x, b: bias_act(x, b, **options), lambda x, b: reference.bias_act(x, b, **options), x, b)


@pytest.mark.parametrize("act", ["lrelu", "linear", "softplus"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_and_channels_last_are_kept_whatever_the_bias_is(act, dtype):
    x, b = channels_last(torch.randn(2, 3, 4, 5).to(dtype)).requires_grad_(), torch.randn(3, requires_grad=True)
    y = bias_act(x, b, act=act, clamp=1.0)
    gx, gb = torch.autograd.grad(y.sum(), [x, b])
    assert y.dtype == gx.dtype == dtype
    assert gb.dtype == torch.float32
    assert is_channels_last(y)
    assert is_channels_last(gx)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_the_input_is_unchanged(act):
    x, b = torch.randn(2, 3), torch.randn(3)
    before = x.clone(), b.clone()
    bias_act(x, b, act=act, clamp=0.1)
    assert torch.equal(x, before[0])
    assert torch.equal(b, before[1])


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 6)])
def test_any_number_of_dimensions_is_accepted(shape):
    x, b = torch.randn(shape), torch.randn(3)
    assert_close(bias_act(x, b, act="lrelu"), reference.bias_act(x, b, act="lrelu"))


def test_only_the_bias_may_need_a_gradient():
    b = torch.zeros(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(bias_act(torch.ones(2, 3, 4), b, act="lrelu", gain=1.0).sum(), b)
    assert gradient.tolist() == [8, 8, 8]


def test_an_unknown_activation_is_named():
    with pytest.raises(ConfigError, match=r"activation must be one of linear, relu, lrelu, .*, got 'gelu'\."):
        bias_act(torch.zeros(1, 1), act="gelu")
