"""Networks with wrong numbers are refused or named while drawing; the images that are drawn are ordinary tensors."""

import math
import warnings

import pytest
import torch
from tiny_generations import EVERY_GENERATION, generator, shared_generator

import stylegan
from stylegan.errors import ConfigError, NonFiniteError
from stylegan.sampling.generate import draw, generate, generate_images


@EVERY_GENERATION
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_named(name, value):
    G = generator(name)
    key, weight = list(G.named_parameters())[-1]
    weight.view(-1)[0] = value
    with pytest.raises(NonFiniteError, match=f"this network holds NaN or infinity in {key}; use an undamaged"):
        generate(G, [0])
    with pytest.raises(NonFiniteError, match="this network holds NaN or infinity in "):
        generate(G.for_inference(), [0])


def test_an_average_that_is_not_finite_is_named():
    G = generator("stylegan2")
    G.mapping.w_avg[2] = math.nan
    with pytest.raises(NonFiniteError, match=r"in mapping\.w_avg;"):
        next(generate_images(G, [0]))


def test_an_image_that_overflows_is_named_by_its_seed():
    G = generator("r3gan")
    G.synthesis.torgb.mul_(1e38)
    with pytest.raises(NonFiniteError, match=r"the image of seed 7 holds NaN or infinity, .* `precision` fp32"):
        generate(G, [7], psi=100.0)


@EVERY_GENERATION
def test_images_of_a_single_color_are_named_once(name):
    G = generator(name)
    for key, weight in G.synthesis.named_parameters():
        if not key.startswith("input."):  # a StyleGAN3 divides by a length of its input
            weight.zero_()
    with pytest.warns(
        RuntimeWarning, match=r"3 images show a single color \(seed 4, seed 5, seed 6\); check"
    ) as caught:
        generate(G, "4-6", batch=2, noise_mode="none")
    assert len(caught) == 1
    ws = torch.zeros(1, G.num_ws, G.w_dim)
    with pytest.warns(RuntimeWarning, match=r"1 image shows a single color \(image 0\)"):
        list(draw(G, ws, noise_mode="none"))


@EVERY_GENERATION
def test_a_sound_network_causes_no_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generate(shared_generator(name), range(4), psi=1.0)


@EVERY_GENERATION
def test_drawn_images_can_be_changed_in_place_and_used_with_gradients(name):
    G = shared_generator(name)
    for image in (generate(G, [0])[0], next(generate_images(G, [0])), next(draw(G, G.mapping(torch.ones(1, 8))))):
        assert not image.is_inference()
        image[:, :2] = 255
        scale = torch.ones([], requires_grad=True)
        (image * scale).sum().backward()


@pytest.mark.parametrize("seeds", [5, 1.5, [0.5], ["a"], None])
def test_seeds_of_another_kind_get_one_sentence(seeds):
    for call in (lambda: stylegan.latents(seeds, 8), lambda: generate(shared_generator("r3gan"), seeds)):
        with pytest.raises(ConfigError, match=r"several whole numbers, such as range\(8\) or '0-7', or \[5\] for a"):
            call()


def test_seeds_may_be_a_text_an_array_or_a_tensor():
    expected = stylegan.latents([0, 1, 2], 8)
    for seeds in ("0-2", range(3), torch.arange(3), expected.new_tensor([0, 1, 2]).int().numpy()):
        assert torch.equal(stylegan.latents(seeds, 8), expected)
