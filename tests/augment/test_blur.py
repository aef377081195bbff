"""Blur that fades during training of StyleGAN3-R."""

import torch

from stylegan.augment.blur import blur, blur_sigma


def test_the_blur_fades_linearly_and_stays_off():
    assert [blur_sigma(n, 10, 200) for n in (0, 50_000, 100_000, 200_000, 10**6)] == [10, 7.5, 5, 0, 0]


def test_the_blur_reads_like_its_equation():
    img = torch.randn(1, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    taps = torch.tensor([2 ** -((i / 1.4) ** 2) for i in range(-4, 5)])
    taps = taps.outer(taps) / taps.sum() ** 2
    expected = torch.nn.functional.conv2d(img, taps.expand(2, 1, 9, 9), padding=4, groups=2)
    torch.testing.assert_close(blur(img, 1.4), expected)


def test_a_width_below_a_third_of_a_pixel_changes_nothing():
    img = torch.randn(1, 3, 4, 4)
    assert blur(img, 0.33) is img


def test_the_blur_may_be_wider_than_the_image():
    assert blur(torch.ones(1, 1, 4, 4), 10.0).max() < 0.3  # black comes in from all around
