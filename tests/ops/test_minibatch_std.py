"""Minibatch standard deviation."""

import pytest
import reference
import torch
from derivatives import assert_differentiable_twice, assert_twins, channels_last, is_channels_last
from torch.testing import assert_close

from stylegan.errors import ShapeError
from stylegan.ops import minibatch_std

GROUPS = [(4, 4, 1), (6, 2, 2), (6, 3, 1), (8, None, 4), (3, 4, 2), (1, 4, 1)]  # images, group, statistics


@pytest.mark.parametrize(("n", "group", "features"), GROUPS)
def test_fast_and_slow_agree_to_second_derivatives(n, group, features):
    x = torch.randn(n, 4, 3, 2, dtype=torch.float64)
    # A group of one has the derivative of the root at 1e-8, where rounding weighs most.
    assert_twins(lambda x: minibatch_std(x, group, features), lambda x: reference.minibatch_std(x, group, features), x)


def test_numerical_differences_confirm_both_derivatives():
    x = torch.randn(4, 2, 2, 2, dtype=torch.float64)
    assert_differentiable_twice(lambda x: minibatch_std(x, 2, 2), x)


def test_statistics_are_the_published_numbers():
    x = torch.arange(4.0)[:, None, None, None] * torch.tensor([1.0, 10])[None, :, None, None]
    assert_close(minibatch_std(x, 2)[:, 2:].flatten(), torch.full([4], 5.5))
    assert_close(minibatch_std(x, 4, 2)[:, 2:].flatten(), torch.tensor([1.118034, 11.18034]).repeat(4))
    assert_close(minibatch_std(x, None)[:, 2:].flatten(), torch.full([4], 6.149187))


def test_images_of_one_group_are_not_neighbors():
    x = torch.tensor([0.0, 5, 0, 5]).reshape(4, 1, 1, 1)
    assert_close(minibatch_std(x, 2)[:, 1].flatten(), torch.full([4], 1e-4))
    x = torch.tensor([0.0, 0, 5, 5]).reshape(4, 1, 1, 1)
    assert_close(minibatch_std(x, 2)[:, 1].flatten(), torch.full([4], 2.5))


@pytest.mark.parametrize(("n", "group", "features"), GROUPS)
def test_the_image_is_kept_and_the_statistics_follow_it(n, group, features):
    x = torch.randn(n, 4, 3, 2)
    y = minibatch_std(x, group, features)
    assert y.shape == (n, 4 + features, 3, 2)
    assert torch.equal(y[:, :4], x)
    assert_close(y[:, 4:], y[:, 4:, :1, :1].expand(-1, -1, 3, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_is_kept(dtype):
    assert minibatch_std(torch.randn(4, 3, 4, 5).to(dtype)).dtype == dtype


def test_channels_last_is_kept():
    assert is_channels_last(minibatch_std(channels_last(torch.randn(4, 3, 4, 5))))


@pytest.mark.parametrize(("n", "group", "features"), [(6, 4, 1), (4, 2, 3)])
def test_groups_and_channels_that_do_not_divide_are_refused(n, group, features):
    text = rf"batch divisible by its group size {group} and channels divisible by {features}, got \[{n}, 4, 2, 2\]"
    with pytest.raises(ShapeError, match=text):
        minibatch_std(torch.zeros(n, 4, 2, 2), group, features)
