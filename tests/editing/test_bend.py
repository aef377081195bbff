"""Bending feature maps: what each operation does, where it acts, and what is refused."""

import json

import pytest
import torch
from tiny_generations import generator, shared_generator

from stylegan.editing.bend import Bend, bent, feature_images, load_bends, parse_bend, save_bends
from stylegan.editing.feature_maps import layers_of
from stylegan.errors import ConfigError, DataError
from stylegan.sampling.generate import draw, to_latents

STYLED = pytest.mark.parametrize("name", ["stylegan1", "stylegan2", "stylegan3"])


def drawn(G, *bends, seed=1):
    with bent(G, bends):
        return next(draw(G, to_latents(G, [seed]))).short()


def spot():
    """A map that is 1 in one pixel of the upper left quarter, [1, 2, 9, 9]."""
    maps = torch.zeros(1, 2, 9, 9)
    maps[:, :, 2, 3] = 1
    return maps


def brightest(maps):
    return divmod(int(maps[0, 0].argmax()), 9)


def test_maps_are_shifted_turned_counter_clockwise_and_enlarged_as_images_are():
    assert brightest(Bend(layer="x", x=1 / 9, y=2 / 9)(spot())) == (4, 4)
    assert brightest(Bend(layer="x", turn=90)(spot())) == (5, 2)  # (-2, -1) from the middle, in rows and columns
    assert brightest(Bend(layer="x", zoom=2)(spot())) == (0, 2)
    assert brightest(Bend(layer="x", x=2 / 9)(spot(), extent=1.0)) == (2, 5)
    assert brightest(Bend(layer="x", x=2 / 9)(spot(), extent=2.0)) == (2, 4)  # the maps are two images wide


def test_a_whole_turn_and_a_shift_back_leave_the_maps_as_they_are():
    maps = torch.randn(1, 3, 8, 8)
    assert torch.allclose(Bend(layer="x", turn=360)(maps), maps, atol=1e-4)
    there = Bend(layer="x", x=0.25)(maps)
    assert torch.allclose(Bend(layer="x", x=-0.25)(there)[..., :6], maps[..., :6], atol=1e-5)


def test_only_the_chosen_channels_change_and_the_input_stays():
    maps = torch.randn(2, 4, 8, 8)
    before = maps.clone()
    changed = Bend(layer="x", channels=(1, 3), multiply=-2, noise=0.5)(maps)
    assert torch.equal(maps, before)
    assert torch.equal(changed[:, ::2], maps[:, ::2])
    assert not torch.isclose(changed[:, 1::2], maps[:, 1::2]).all((0, 2, 3)).any()


def test_noise_has_the_deviation_of_the_map_and_depends_on_its_seed_alone():
    maps = 3 * torch.randn(1, 2, 64, 64)
    disturbed = Bend(layer="x", noise=0.5, seed=7)(maps)
    assert torch.allclose((disturbed - maps).std((2, 3)), 0.5 * maps.std((2, 3)), rtol=0.05)
    assert torch.equal(disturbed, Bend(layer="x", noise=0.5, seed=7)(maps))
    assert not torch.equal(disturbed, Bend(layer="x", noise=0.5, seed=8)(maps))
    assert Bend(layer="x", noise=0.5)(maps.bfloat16()).dtype == torch.bfloat16


@STYLED
def test_every_styled_generation_is_bent_in_the_block_and_is_itself_again_behind_it(name):
    G = generator(name)
    first = drawn(G)
    layers = layers_of(G)
    assert len(layers) >= 4
    assert all(layer.size <= 16 and layer.extent >= 1 for layer in layers)
    for bend in (Bend(layer=layers[1].name, turn=90), Bend(layer=layers[-1].name, channels=(0,), multiply=0)):
        assert (drawn(G, bend) - first).abs().max() > 1
    assert torch.equal(drawn(G), first)
    assert torch.equal(drawn(G, Bend(layer=layers[0].name)), first)
    assert not any(module._forward_hooks for module in G.synthesis.modules())


def test_bends_of_one_layer_follow_each_other():
    G = shared_generator("stylegan2")
    once = drawn(G, Bend(layer="b8.conv1", multiply=4))
    assert torch.equal(drawn(G, Bend(layer="b8.conv1", multiply=2), Bend(layer="b8.conv1", multiply=2)), once)


@STYLED
def test_feature_images_show_each_channel_over_the_part_that_covers_the_image(name):
    G = shared_generator(name)
    latent = to_latents(G, [1])[0]
    for layer in (layers_of(G)[0], layers_of(G)[-1]):
        images = feature_images(G, latent, layer.name)
        assert images.shape == (layer.channels, 1, layer.size, layer.size)
        assert images.dtype == torch.uint8
        removed = feature_images(G, latent, layer.name, [Bend(layer=layer.name, channels=(0,), multiply=0)])
        assert not removed[0].any()
        assert torch.equal(removed[1:], images[1:])


@pytest.mark.parametrize("name", ["progan", "r3gan", "minimal"])
def test_networks_without_affine_layers_have_no_layers_to_bend(name):
    G = shared_generator(name)
    assert layers_of(G) == []
    with pytest.raises(ConfigError, match="has no layer that can be bent"):
        drawn(G, Bend(layer="b8"))
    assert drawn(G).shape == (3, 16, 16)


def test_unknown_layers_and_channels_are_refused_before_anything_is_drawn():
    G = shared_generator("stylegan2")
    with pytest.raises(ConfigError, match=r"is one of b4\.conv1, b8\.conv0.*, got 'b8\.torgb'"):
        drawn(G, Bend(layer="b8.torgb"))
    with pytest.raises(ConfigError, match="has the channels 0-7, got 8"):
        drawn(G, Bend(layer="b8.conv1", channels=(0, 8)))


WRONG = [
    {"x": float("nan")},
    {"y": 5},
    {"turn": float("inf")},
    {"zoom": 0},
    {"zoom": -1},
    {"multiply": "2"},
    {"noise": -0.1},
    {"noise": True},
    {"seed": -1},
    {"seed": 1.5},
    {"layer": 3},
    {"channels": ()},
    {"channels": (-1,)},
    {"channels": (0.5,)},
    {"channels": [0]},
    {"channels": tuple(range(5000))},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_values_out_of_bounds_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"of a bend (is|are) .*\.$"):
        Bend(**{"layer": "b8.conv1", **wrong})


def test_a_file_of_bends_is_read_as_it_was_written(tmp_path):
    bends = [
        Bend(layer="b8.conv1", channels=(0, 5), x=0.25, turn=30, noise=0.5, seed=3),
        Bend(layer="b4.conv1", zoom=2),
    ]
    save_bends(bends, tmp_path / "bends.json")
    assert load_bends(tmp_path / "bends.json") == bends


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"format": 2, "bends": []}',
        '{"format": 1}',
        '{"format": 1, "bends": {}}',
        '{"format": 1, "bends": [3]}',
        '{"format": 1, "bends": [{}]}',
        '{"format": 1, "bends": [{"layer": "a", "unknown": 1}]}',
        '{"format": 1, "bends": [{"layer": "a", "x": NaN}]}',
        '{"format": 1, "bends": [{"layer": "a", "channels": "all"}]}',
        '{"format": 1, "bends": [{"layer": "a", "zoom": 1e999}]}',
        json.dumps({"format": 1, "bends": [{"layer": "a"}] * 65}),
        "[" * 100_000,
        " " * (1 << 20) + "{}",
        "\ud800",
    ],
    ids=range(16),
)
def test_files_that_hold_no_bends_are_refused_with_a_sentence(tmp_path, content):
    file = tmp_path / "bends.json"
    file.write_text(content, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(DataError, match=r"bends"):
        load_bends(file)


def test_a_bend_is_parsed_from_text():
    assert parse_bend("b8.conv1:turn=20, x=0.1,seed=4") == Bend(layer="b8.conv1", turn=20, x=0.1, seed=4)
    for text in ("b8.conv1", "b8.conv1:turn", "b8.conv1:turn=x", "b8.conv1:color=3", "b8.conv1:layer=3", ""):
        with pytest.raises(ConfigError, match=r"a bend is written like b8\.conv1:turn=20,x=0\.1"):
            parse_bend(text)
