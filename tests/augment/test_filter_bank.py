"""The four bands of image-space filtering."""

import torch
import torch.nn.functional as F
from torch.testing import assert_close

from stylegan.augment.filter import filter_bands, filter_bank, normalized


def test_bands_sum_to_the_impulse_and_only_the_lowest_has_a_mean():
    bank, impulse = filter_bank(), torch.zeros(43)
    impulse[21] = 1
    assert_close(bank.sum(0), impulse, rtol=0, atol=1e-6)
    assert_close(bank.sum(1), torch.tensor([1.0, 0, 0, 0]), rtol=0, atol=1e-6)


def test_bands_have_their_centers_and_supports():
    bank = filter_bank()
    assert_close(bank[:, 21], torch.tensor([0.125, 0.125, 0.25, 0.5]))
    assert [(row.nonzero().min().item(), row.nonzero().max().item()) for row in bank[2:]] == [(12, 30), (18, 24)]
    assert_close(bank, bank.flip(1))


def test_filtering_is_a_convolution_along_both_axes():
    images, g, bank = torch.randn(2, 3, 24, 30), torch.rand(2, 4) + 0.5, filter_bank()
    for i in range(2):
        taps = g[i] @ bank
        x = F.pad(images[i][:, None], [21] * 4, mode="reflect")
        x = F.conv2d(F.conv2d(x, taps[None, None, None]), taps[None, None, :, None])
        assert_close(filter_bands(images, g, bank)[i], x[:, 0], rtol=1e-4, atol=1e-5)


def test_unit_gains_change_nothing():
    images = torch.randn(2, 3, 22, 22)
    assert_close(filter_bands(images, torch.ones(2, 4), filter_bank()), images, rtol=0, atol=1e-5)


def test_gains_keep_the_power_of_natural_images():
    t = normalized(torch.tensor([[2.0, 1, 1, 1], [1, 1, 1, 1], [1, 8, 1, 1]]))
    power = (torch.tensor([10.0, 1, 1, 1]) / 13 * t.square()).sum(1)
    assert_close(power, torch.ones(3))
