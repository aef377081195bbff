"""Steps that fit an image to the input of image-to-image."""

import pytest
import torch
from test_encoder import GENERATORS, made
from tiny_generator import tiny_generator
from torch.testing import assert_close

from stylegan.errors import ConfigError
from stylegan.inversion.fit import fit
from stylegan.inversion.tasks import Task
from stylegan.inversion.translate import translate
from stylegan.inversion.w_statistics import random_ws

TASKS = [Task(name=name) for name in ("image", "sketch", "gray", "inpaint")] + [Task(name="superres", input_px=4)]


def started(G, task):
    """Inputs that the network can draw, and ws that draw other images."""
    ws = random_ws(G, None, 4)
    with torch.no_grad():
        images = G.synthesis(ws[:2], noise_mode="const")
    return task.of_images(images / images.abs().max(), torch.Generator().manual_seed(0)), ws[2:]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_image_comes_closer_to_its_input(task):
    G = tiny_generator()
    inputs, ws = started(G, task)
    found = fit(G, ws, task, inputs, steps=30)
    assert found.shape == ws.shape
    before, after = (task.difference(G.synthesis(x, noise_mode="const"), inputs) for x in (ws, found))
    assert (after < before).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generation_is_fitted_and_keeps_its_weights(name):
    G, task = GENERATORS[name](), Task(name="gray")
    weights = {key: value.clone() for key, value in G.state_dict().items()}
    inputs, ws = started(G, task)
    before = task.difference(G.synthesis(ws, noise_mode="const"), inputs)
    found = fit(G, ws, task, inputs, steps=20)
    assert (task.difference(G.synthesis(found, noise_mode="const"), inputs) < before).all()
    for key, value in G.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_images_are_fitted_independently():
    G, task = tiny_generator(), Task(name="gray")
    inputs, ws = started(G, task)
    together = fit(G, ws, task, inputs, steps=3)
    alone = torch.cat([fit(G, ws[i : i + 1], task, inputs[i : i + 1], steps=3) for i in range(2)])
    assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_label_maps_have_no_steps():
    G = tiny_generator()
    with pytest.raises(ConfigError, match="task labels cannot be made from images.*leave out `steps`"):
        fit(G, random_ws(G, None, 1), Task(name="labels"), torch.zeros(1, 1, 16, 16), steps=1)


def test_one_w_stays_one_w():
    G, task = tiny_generator(), Task(name="gray")
    inputs, ws = started(G, task)
    found = fit(G, ws[:, :1], task, inputs, steps=3)
    assert found.shape == ws.shape
    assert torch.equal(found, found[:, :1].expand_as(found))
    assert not torch.equal(found[:, :1], ws[:, :1])
    (latents,) = translate(G, made(G, task, space="w"), inputs[:1], steps=3)
    assert torch.equal(latents[0].ws, latents[0].ws[:1].expand_as(latents[0].ws))


def test_a_network_with_labels_needs_none_for_its_steps():
    G, task = tiny_generator(c_dim=3), Task(name="gray")
    inputs = task.of_images(torch.zeros(1, 3, 16, 16))
    (latents,), (without,) = (translate(G, made(G, task), inputs, steps=n) for n in (2, 0))
    assert not torch.equal(latents[0].ws, without[0].ws)
