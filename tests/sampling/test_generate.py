"""Seeds to images."""

import pytest
import torch
from tiny_generator import tiny_generator

from stylegan.errors import ConfigError
from stylegan.images.pixels import to_uint8
from stylegan.sampling.generate import batched, draw, draw_batch, generate_images, seeds_to_ws
from stylegan.sampling.latents import latents


def stack(images):
    return torch.stack(list(images))


def test_images_are_those_of_the_network():
    G = tiny_generator()
    img = G(latents([3, 5], 16), truncation_psi=0.7, truncation_cutoff=2, noise_mode="const")
    assert torch.equal(stack(generate_images(G, [3, 5], psi=0.7, cutoff=2)), to_uint8(img))
    assert 30 < to_uint8(img).float().std() < 100  # neither flat nor black and white


def test_a_seed_gives_the_same_image_in_any_batch_up_to_one_step_of_rounding():
    G = tiny_generator()
    seeds = list(range(7))
    alone = stack(generate_images(G, seeds, batch=1)).int()
    for batch in (2, 3, 100):
        assert (stack(generate_images(G, seeds, batch=batch)).int() - alone).abs().max() <= 1


def test_a_batch_is_drawn_as_a_stream_of_it():
    G = tiny_generator()
    ws = list(seeds_to_ws(G, [3, 4]))
    assert torch.equal(draw_batch(G, ws), torch.stack(list(draw(G, ws))))


def test_psi_zero_gives_the_average_image_for_every_seed():
    G = tiny_generator()
    average = to_uint8(G.synthesis(G.mapping.w_avg.repeat(1, G.num_ws, 1), noise_mode="const"))[0]
    for image in generate_images(G, [0, 1, 2], psi=0):
        assert (image.int() - average.int()).abs().max() <= 1


def test_the_class_reaches_the_network():
    G = tiny_generator(c_dim=3)
    a, b = (next(generate_images(G, [0], label=k)) for k in (0, 1))
    assert not torch.equal(a, b)
    expected = to_uint8(G(latents([0], 16), torch.eye(3)[1:2], noise_mode="const"))[0]
    assert torch.equal(b, expected)


def test_the_stream_is_drawn_no_further_than_it_is_read():
    G = tiny_generator()
    taken = []

    def ws():
        for k, w in enumerate(seeds_to_ws(G, range(10))):
            taken.append(k)
            yield w

    images = draw(G, ws(), batch=3)
    next(images)
    assert taken == [0, 1, 2]


def test_drawing_keeps_the_gradient_mode_of_the_caller():
    images = generate_images(tiny_generator(), [0, 1], batch=1)
    next(images)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_ws_of_seeds_can_be_optimized():
    """Gradient descent moves them towards the image of another seed, as projecting an image does."""
    G = tiny_generator()
    target = G.synthesis(seeds_to_ws(G, [1]), noise_mode="const")
    ws = seeds_to_ws(G, [0]).requires_grad_(True)
    optimizer = torch.optim.Adam([ws], lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        losses.append((G.synthesis(ws, noise_mode="const") - target).square().mean())
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 4


def test_a_batch_below_one_is_refused():
    with pytest.raises(ConfigError, match="batch must be at least 1, got 0"):
        next(batched([1], 0))
