"""Recorded drawing."""

import pytest
import torch
from tiny_generations import EVERY_GENERATION, generator

from stylegan.errors import NonFiniteError
from stylegan.sampling.generate import draw_batch, seeds_to_ws
from stylegan.sampling.recording import recorded_draw


@EVERY_GENERATION
@pytest.mark.parametrize("precision", ["auto", "fp32"])
@pytest.mark.parametrize("noise_mode", ["const", "none"])
def test_recorded_images_are_those_of_draw_batch_for_batches_of_any_size(name, precision, noise_mode):
    G = generator(name).for_inference(precision)
    ws = seeds_to_ws(G, range(7))
    draw = recorded_draw(G, ws[0], noise_mode=noise_mode)
    assert draw is not None
    for n in (1, 2, 5, 7):
        assert torch.equal(draw(ws[:n]), draw_batch(G, list(ws[:n]), noise_mode=noise_mode))


def test_a_network_that_cannot_be_recorded_is_not(monkeypatch):
    G = generator("stylegan2").for_inference()
    monkeypatch.setattr(torch.jit, "trace", lambda *_, **__: 1 / 0)
    assert recorded_draw(G, seeds_to_ws(G, [0])[0]) is None


def test_a_recording_that_draws_something_else_is_not_used(monkeypatch):
    G = generator("stylegan2").for_inference()
    monkeypatch.setattr(
        torch.jit, "trace", lambda drawing, ws, **_: lambda ws: (255 - drawing(ws)[0], torch.tensor(True))
    )
    assert recorded_draw(G, seeds_to_ws(G, [0])[0]) is None


def test_an_image_that_is_not_finite_is_named():
    G = generator("stylegan2").for_inference()
    ws = seeds_to_ws(G, range(2))
    draw = recorded_draw(G, ws[0])
    assert draw is not None
    ws[1] = float("inf")
    with pytest.raises(NonFiniteError, match="image 1"):
        draw(ws)
