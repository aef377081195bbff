"""Blending two networks: its ends, its layers, and which networks do not fit."""

import pytest
import torch
from golden import R
from tiny_generations import generator, shared_generator

from stylegan.editing.blend import Part, blended, blended_checkpoint, rows_of
from stylegan.errors import ConfigError
from stylegan.sampling.generate import draw, to_latents
from stylegan.sampling.latent import space_of

STYLED = pytest.mark.parametrize("name", ["stylegan1", "stylegan2", "stylegan3"])


def tuned(name):
    """Return a copy of a network whose weights were moved, as training further does."""
    G = generator(name)
    for i, parameter in enumerate(G.parameters()):
        parameter.add_(0.5 * R(i, list(parameter.shape)) * parameter.abs().mean())
    return G


def drawn(G, latents):
    return torch.stack(list(draw(G, latents))).short()


@STYLED
def test_alpha_0_is_the_first_network_and_1_the_other_with_the_latents_of_the_first(name):
    a, b = shared_generator(name), tuned(name)
    latents = to_latents(a, [1, 2])
    assert torch.equal(drawn(blended(a, b, 0), latents), drawn(a, latents))
    assert torch.equal(drawn(blended(a, b, 1), latents), drawn(b, latents))
    half = blended(a, b, 0.5)
    assert space_of(half) == space_of(a)
    for name_, value in half.synthesis.named_parameters():
        mean = (a.synthesis.get_parameter(name_) + b.synthesis.get_parameter(name_)) / 2
        assert torch.allclose(value, mean, atol=1e-6)


@STYLED
def test_the_chosen_layers_move_and_the_others_stay(name):
    a, b = shared_generator(name), tuned(name)
    rows = rows_of(a)
    assert set(rows) == set(a.synthesis.state_dict())
    assert set(rows.values()) == set(range(a.num_ws))
    found = blended(a, b, 1, [0, 3]).synthesis.state_dict()
    mine, theirs = a.synthesis.state_dict(), b.synthesis.state_dict()
    for tensor, row in rows.items():
        assert torch.equal(found[tensor], (theirs if row in (0, 3) else mine)[tensor]), tensor


def test_the_rows_of_a_stylegan2_are_those_of_its_layers():
    rows = rows_of(shared_generator("stylegan2"))
    named = {"b4.const": 0, "b4.conv1.weight": 0, "b4.torgb.weight": 1, "b8.conv0.weight": 1, "b8.conv1.bias": 2}
    assert {name: rows[name] for name in named} == named


def test_blended_noise_keeps_its_variance():
    a, b = generator("stylegan2"), generator("stylegan2")
    torch.nn.init.normal_(b.synthesis.b16.conv1.noise_const)
    noise = blended(a, b, 0.5).synthesis.b16.conv1.noise_const
    assert noise.std() == pytest.approx(1, abs=0.15)


def test_networks_that_do_not_fit_are_refused():
    a = shared_generator("stylegan2")
    with pytest.raises(ConfigError, match=r"got stylegan2 of 16 px with .* and stylegan3 of 16 px"):
        blended(a, shared_generator("stylegan3"), 0.5)
    with pytest.raises(ConfigError, match="networks of one architecture and size can be blended"):
        blended(a, generator("stylegan2", img_channels=1), 0.5)
    with pytest.raises(ConfigError, match="has no affine layers"):
        blended(shared_generator("progan"), shared_generator("progan"), 0.5)
    for alpha in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="alpha of a blend is from 0 to 1"):
            blended(a, a, alpha)


def test_the_checkpoint_of_a_blend_names_both_networks_and_their_licences():
    G = shared_generator("stylegan2")
    a, b = Part(name="faces", G=G, licence="CC0-1.0"), Part(name="cats", G=G)
    mixed = blended_checkpoint(a, b, 0.5, [1, 2])
    assert mixed.origin == "blend of faces and cats, alpha 0.5 in the layers 1,2"
    assert mixed.licence == "both CC0-1.0 and not stated"
    assert blended_checkpoint(a, a, 1).licence == "CC0-1.0"
