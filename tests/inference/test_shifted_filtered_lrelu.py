"""The form of filtered leaky ReLU for a compiler."""

import pytest
import torch
from derivatives import channels_last
from torch.testing import assert_close

from stylegan.inference.shifted_filtered_lrelu import ShiftedFilteredLReLU, separable_terms
from stylegan.ops import filtered_lrelu, lowpass, radial_lowpass

UP2, UP4 = lowpass(12, 4, 8, 32), lowpass(24, 4, 8, 64)
DOWN, RADIAL = lowpass(12, 5, 6, 32), radial_lowpass(12, 5, 6, 32)
SKEW = torch.tensor([1.0, -2, 4, 0.5, 3, 7]) / 8


@pytest.mark.parametrize("size", [(14, 14), (13, 15)])
@pytest.mark.parametrize(
    ("fu", "fd", "up", "down", "pad"),
    [
        (UP2, DOWN, 2, 2, (9, 8)),
        (UP4, DOWN, 4, 2, (-6, -5)),
        (UP4, RADIAL, 4, 2, (-2, -5)),
        (UP2, DOWN, 2, 2, (-3, 7)),
        (UP2, RADIAL, 2, 2, (11, 10)),
        (SKEW, SKEW, 3, 2, (3, -4)),
        (SKEW, SKEW, 2, 3, (5, 5)),
        (SKEW, SKEW, 1, 1, (4, 0)),
    ],
)
def test_it_is_the_same_function(fu, fd, up, down, pad, size):
    x = channels_last(torch.randn(2, 3, *size))
    fast = ShiftedFilteredLReLU(fu, fd, up=up, down=down, pad=pad, clamp=1.5)
    expected = filtered_lrelu(x, fu, fd, up=up, down=down, pad=(*pad, *pad), gain=1.0, clamp=1.5)
    assert_close(fast(x), expected, rtol=1e-5, atol=1e-5)


def test_reduced_precision_rounds_three_times():
    x = channels_last(torch.randn(2, 3, 14, 14))
    fast = ShiftedFilteredLReLU(UP2, DOWN, up=2, down=2, pad=(9, 8))
    y = fast(x.bfloat16())
    assert y.dtype == torch.float32
    assert (y - fast(x)).std() < 4e-3 * y.std()


def test_the_terms_of_a_radial_filter_add_up_to_it():
    terms = separable_terms(RADIAL, 1e-6)
    total = sum(torch.tensor(rows).outer(torch.tensor(columns)) for columns, rows in terms)
    assert len(terms) <= 4
    assert_close(total, RADIAL, rtol=0, atol=1e-6 * RADIAL.max().item())
