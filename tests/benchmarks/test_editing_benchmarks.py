"""The benchmarks of directions and of dragging: what counts as flipped, as left alone, and as a valid point."""

import sys
from pathlib import Path

import pytest
import torch

from stylegan.editing.directions import Direction
from stylegan.networks import stylegan2
from stylegan.sampling.latent import Latent, space_of

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import directions
import drag


@pytest.fixture(scope="module")
def G():
    torch.manual_seed(0)
    size = {"mapping_layers": 2, "channel_base": 256, "channel_max": 16}
    return stylegan2.Generator(16, 0, 16, 32, 3, **size).eval().requires_grad_(False)


class FirstValues:
    """A judge that sees the signs of the first three values of w, which it keeps aside from the images."""

    def __init__(self, latents):
        self.latents = latents

    def sees(self, images):
        return torch.stack([latent.ws[0, :3] > 0 for latent in self.latents])


@pytest.fixture
def judged(G, monkeypatch):
    """Four latents whose first three values are +-1, and a judgment of them that draws nothing."""
    space = space_of(G)
    signs = torch.tensor([[1.0, 1, 1], [1, -1, 1], [-1, 1, -1], [-1, -1, -1]])
    latents = [Latent(ws=torch.cat([row, torch.zeros(13)]).expand(G.num_ws, -1).clone(), space=space) for row in signs]
    judge = FirstValues(latents)

    def drawn(_, given):
        judge.latents = list(given)
        return [torch.zeros(3, 32, 32, dtype=torch.uint8)] * len(judge.latents)

    monkeypatch.setattr(directions, "draw", drawn)
    return directions.Judgment(G, judge, latents, [0, 1, 2])


def along(G, *values):
    vector = torch.zeros(16)
    vector[: len(values)] = torch.tensor(values)
    return Direction(name="x", vector=vector, deviation=1.0, space=space_of(G), method="labels")


def test_a_clean_direction_flips_its_attribute_in_all_images_and_leaves_the_others(G, judged):
    assert judged.score(along(G, 1.0), 0, 2.0) == (2.0, 1.0, 1.0)
    assert judged.score(along(G, -1.0), 0, 2.0, sign=-1) == (2.0, 1.0, 1.0)
    assert judged.score(along(G, 1.0), 0, 0.5) == (0.5, 0.0, 1.0)


def test_an_entangled_direction_is_scored_at_the_strength_that_leaves_most_of_the_others(G, judged):
    both = along(G, 1.0, 0.3)  # flips the first from 1, and half of the second from 3.3
    best = judged.best(both, 0)
    assert best.flips == 1
    assert best.stays == 1
    assert judged.score(both, 0, 6).stays < 1


def test_the_best_of_several_directions_and_its_sign_are_chosen_for_each_attribute(G, judged):
    first, second, third = along(G, -1.0), along(G, 0.0, 1.0), along(G, 0.0, 0.0, 1.0)
    found = directions.chosen(judged, [first, second, third], 2.0)
    assert found == {0: (first, -1), 1: (second, 1), 2: (third, 1)}


def test_a_judge_learns_what_it_is_shown():
    torch.manual_seed(0)
    has = (torch.rand(200, 2) > 0.5).float()
    images = torch.full((200, 3, 64, 64), 60, dtype=torch.uint8)
    images[has[:, 0] > 0, 0] = 200
    images[has[:, 1] > 0, 1, 20:40, 20:40] = 200
    judge = directions.trained(images, has, epochs=12)
    assert (judge.sees(images) == (has > 0.5)).double().mean() > 0.95


def test_a_valid_point_is_found_at_its_target_in_the_moved_image_and_back(G):
    rng = torch.Generator().manual_seed(0)
    pair = drag.valid_pair(G, 1, rng)
    assert pair is not None
    way = torch.tensor(pair.target) - torch.tensor(pair.point)
    assert 4 <= way.norm() <= 12
    assert torch.equal(pair.moved.ws[4:], pair.latent.ws[4:])
    maps, patches = drag.FeatureMaps(G, 32), drag.Patches(32, 1)
    here, there = maps(pair.latent.ws[None]), maps(pair.moved.ws[None])
    point, target = torch.tensor([pair.point]), torch.tensor([pair.target])
    assert torch.allclose(patches.nearest(there, here, point, point, 12), target)
    assert (patches.nearest(here, there, target, target, 12) - point).norm() <= 1
