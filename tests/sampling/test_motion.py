"""Loops of images that move."""

import pytest
import torch
from tiny_generator import tiny_generator
from torch.testing import assert_close
from waves import Waves

from stylegan.errors import ConfigError
from stylegan.sampling.motion import PATHS, move


@pytest.mark.parametrize("path", PATHS)
def test_each_path_is_closed_and_even_in_time(path):
    places = torch.tensor([PATHS[path](k / 24) for k in range(25)], dtype=torch.float64)
    turn = torch.tensor([0.0, 0.0, 360.0 if path == "rotate" else 0.0], dtype=torch.float64)
    assert_close(places[24], places[0] + turn)
    assert float((places[1:] - places[:-1]).norm(dim=1).max()) <= 1.3 * float(places.diff(dim=0).norm(dim=1)[0])


def test_the_circle_begins_at_the_right_and_turns_counter_clockwise_like_a_rotation():
    right, top, left, bottom = (PATHS["circle"](k / 4)[:2] for k in range(4))
    places = torch.tensor([right, top, left, bottom])
    assert_close(places, torch.tensor([[0.125, 0.0], [0.0, -0.125], [-0.125, 0.0], [0.0, 0.125]]))  # y points down


def test_all_images_of_a_frame_are_at_the_position_of_the_path():
    G = Waves(size=16)
    ws = G.mapping(torch.randn(3, 24))
    frames = list(move(G, ws, "rotate", 4, batch=2))
    assert [list(frame.shape) for frame in frames] == [[3, 16, 48]] * 4
    for k, frame in enumerate(frames):
        for drawn, first in zip(frame.split(16, dim=2), frames[0].split(16, dim=2), strict=True):
            assert int((drawn.int() - torch.rot90(first, k, [1, 2]).int()).abs().max()) <= 1
    assert torch.equal(G.synthesis.input.transform, torch.eye(3, dtype=torch.float64))


def test_what_cannot_move_gets_a_sentence_before_anything_is_drawn():
    with pytest.raises(ConfigError, match="only images of a StyleGAN3 can be shifted and rotated, and this is"):
        move(tiny_generator(), torch.zeros(1, 6, 16), "circle", 4)
    with pytest.raises(ConfigError, match="a path is one of circle, shift, rotate, got 'zoom'."):
        move(Waves(), torch.zeros(1, 1, 24), "zoom", 4)
    with pytest.raises(ConfigError, match="a loop needs at least 1 frame, got 0."):
        move(Waves(), torch.zeros(1, 1, 24), "circle", 0)
