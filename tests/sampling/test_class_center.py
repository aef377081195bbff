"""Truncation towards a class."""

import pytest
import torch
from tiny_generator import tiny_generator
from torch.testing import assert_close

from stylegan.errors import ConfigError
from stylegan.networks import progan
from stylegan.networks.mapping import truncate
from stylegan.sampling.class_center import ClassCentered, class_average
from stylegan.sampling.generate import generate_images, seeds_to_ws
from stylegan.sampling.truncation import truncation_sweep


def test_the_average_of_a_class_is_near_that_of_other_samples_of_it():
    G = tiny_generator(c_dim=3)
    for k in range(3):
        c = torch.eye(3)[k]
        w = G.mapping(torch.randn(4096, 16), c.expand(4096, -1))[:, 0]
        away = (class_average(G, c) - w.mean(0)) / w.std(0)
        assert away.abs().max() < 6 * (2 / 4096) ** 0.5
    assert torch.equal(class_average(G, torch.eye(3)[0]), class_average(G, torch.eye(3)[0]))


def test_each_image_moves_towards_the_average_of_its_own_class():
    G = tiny_generator(c_dim=3)
    centered = ClassCentered(G)
    z, c = torch.randn(3, 16), torch.eye(3)
    ws = centered.mapping(z, c, truncation_psi=0.4, truncation_cutoff=2)
    for k in range(3):
        full = G.mapping(z[k : k + 1], c[k : k + 1])
        assert_close(ws[k : k + 1], truncate(full, class_average(G, c[k]), 0.4, 2))
    assert torch.equal(centered.mapping(z, c), G.mapping(z, c))


def test_psi_zero_draws_one_image_a_class_and_another_for_each():
    G = ClassCentered(tiny_generator(c_dim=2).for_inference())
    a, b, other = (seeds_to_ws(G, [seed], label=k, psi=0) for seed, k in ((0, 0), (1, 0), (0, 1)))
    assert torch.equal(a, b)
    assert not torch.allclose(a, other)
    image = next(generate_images(G, [5], label=1, psi=0))
    (swept,) = truncation_sweep(G, [5], [0], label=1)
    assert torch.equal(image, swept)


def test_networks_without_weights_in_their_form_for_inference_can_be_centered():
    G = progan.Generator(8, 2, 16, 3, channel_base=64, channel_max=8)
    image = next(generate_images(ClassCentered(G.for_inference()), [5], label=1, psi=0.5))
    assert image.shape == (3, 16, 16)


def test_a_network_without_classes_has_no_center_of_one():
    with pytest.raises(ConfigError, match="has no classes, so truncation has only the global center"):
        ClassCentered(tiny_generator())
