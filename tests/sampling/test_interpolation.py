"""Loops through seeds."""

import pytest
import torch
from tiny_generator import tiny_generator
from torch.testing import assert_close

from stylegan.errors import ConfigError
from stylegan.sampling.generate import seeds_to_ws
from stylegan.sampling.interpolation import circle, loop, slerp
from stylegan.sampling.latents import latents


def rows_of(latents):
    return [latent.ws for latent in latents]


@pytest.mark.parametrize("space", ["w", "z"])
def test_the_loop_passes_every_seed_exactly(space):
    G = tiny_generator()
    ws = torch.stack(rows_of(loop(G, [3, 1, 4], 5, space=space, psi=0.8)))
    assert ws.shape == (15, G.num_ws, 16)
    assert_close(ws[::5], seeds_to_ws(G, [3, 1, 4], psi=0.8))


def test_the_loop_closes_with_a_step_like_the_one_before():
    ws = rows_of(loop(tiny_generator(), [3, 1, 4], 5))
    assert_close(ws[-1] + (ws[-1] - ws[-2]), ws[0])  # straight in w: what would come next is the first frame


def test_an_arc_through_z_closes_too():
    G = tiny_generator()
    fine = torch.stack(rows_of(loop(G, [3, 1], 200, space="z")))
    steps = (fine - fine.roll(1, 0)).flatten(1).norm(dim=1)
    assert steps[0] < 1.5 * steps.median()
    assert steps.max() < 10 * steps.median()


def test_equal_steps_turn_by_equal_angles_and_the_length_goes_evenly():
    a, b = torch.randn(2, 64)
    z = slerp(a, 3 * b, torch.linspace(0, 1, 9)).double()
    assert_close(z[0].float(), a)
    assert_close(z[-1].float(), 3 * b)
    angles = torch.cosine_similarity(z[1:], z[:-1]).acos()
    assert_close(angles, angles[:1].expand(8), rtol=1e-4, atol=0)
    lengths = z.norm(dim=1)
    assert_close(lengths.diff(), lengths.diff()[:1].expand(8), rtol=1e-4, atol=1e-5)


def test_an_arc_keeps_the_length_that_a_straight_line_loses():
    a, b = torch.randn(2, 512)
    middle = torch.tensor([0.5])
    assert slerp(a, b, middle).norm() > 0.95 * min(a.norm(), b.norm())
    assert torch.lerp(a, b, 0.5).norm() < 0.8 * min(a.norm(), b.norm())


def test_the_same_seed_twice_does_not_move():
    ws = torch.stack(rows_of(loop(tiny_generator(), [2, 2], 3, space="z")))
    assert_close(ws, ws[:1].expand_as(ws))


@pytest.mark.parametrize("space", ["w", "z"])
def test_one_seed_goes_through_classes_and_passes_each_exactly(space):
    G = tiny_generator(c_dim=3)
    ws = torch.stack(rows_of(loop(G, [7], 4, space=space, labels=[0, 2, 1], psi=0.8)))
    assert ws.shape == (12, G.num_ws, 16)
    for frame, k in ((0, 0), (4, 2), (8, 1)):
        assert_close(ws[frame : frame + 1], seeds_to_ws(G, [7], label=k, psi=0.8))


def test_between_classes_z_goes_through_their_mixtures():
    G = tiny_generator(c_dim=3)
    ws = rows_of(loop(G, [7], 2, space="z", labels=[0, 2]))
    assert_close(ws[1][None], seeds_to_ws(G, [7], label=[0.5, 0, 0.5]))


def test_seeds_may_each_have_a_class_or_all_the_same():
    G = tiny_generator(c_dim=3)
    for labels in ([1, 2], [1]):
        ws = rows_of(loop(G, [3, 4], 1, labels=labels))
        assert_close(torch.stack(ws), torch.cat([seeds_to_ws(G, [3], label=1), seeds_to_ws(G, [4], label=labels[-1])]))
    with pytest.raises(ConfigError, match="one seed for all labels or one for each, got 2 and 3"):
        loop(G, [3, 4], 1, labels=[0, 1, 2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([7], 5), "a loop needs at least two seeds, such as 0-3, got 1."),
        (([7, 8], 0), "a loop needs at least 1 frame from seed to seed, got 0."),
    ],
)
def test_what_cannot_be_a_loop_is_refused_at_once(arguments, message):
    with pytest.raises(ConfigError) as error:
        loop(tiny_generator(), *arguments)
    assert str(error.value) == message


def test_an_unknown_space_is_named():
    with pytest.raises(ConfigError, match="space must be one of w, z, circle, got 'x'"):
        loop(tiny_generator(), [0, 1], 5, space="x")


def test_a_circle_is_closed_even_and_as_typical_as_random_z():
    G = tiny_generator()
    z = latents([3, 4], 512)
    curve = circle(z, 60)
    assert torch.allclose(curve[0], z[0], atol=1e-5)
    assert torch.allclose(curve[15], z[1], atol=1e-5)
    steps = (curve.roll(-1, 0) - curve).norm(dim=1)
    assert steps.std() / steps.mean() < 0.05
    many = circle(latents(list(range(8)), 512), 200)
    assert (many.std(1) - 1).abs().max() < 0.15
    ws = list(loop(G, [3, 4], 5, space="circle", psi=0.7))
    assert len(ws) == 10
    first = seeds_to_ws(G, [3], psi=0.7)[0]
    assert torch.allclose(ws[0].ws, first, atol=1e-5)


def test_a_circle_needs_pairs_and_one_label():
    with pytest.raises(ConfigError, match="an even number of seeds, got 3"):
        list(loop(tiny_generator(), [0, 1, 2], 4, space="circle"))
    with pytest.raises(ConfigError, match="one label"):
        list(loop(tiny_generator(c_dim=3), [0, 1], 4, space="circle", labels=["0", "1"]))


def test_smooth_easing_rests_at_the_seeds_and_meets_the_middle():
    G = tiny_generator()
    ws = seeds_to_ws(G, [0, 1])
    found = torch.stack([one.ws for one in loop(G, [0, 1], 8, easing="smooth")])
    assert torch.allclose(found[0], ws[0])
    assert torch.allclose(found[4], (ws[0] + ws[1]) / 2, atol=1e-6)
    assert torch.allclose(found[1], torch.lerp(ws[0], ws[1], 0.125**2 * (3 - 0.25)), atol=1e-6)
    with pytest.raises(ConfigError, match="easing must be one of linear, smooth"):
        list(loop(G, [0, 1], 8, easing="x"))
