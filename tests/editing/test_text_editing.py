"""Edits by text: each method makes images redder, as a text-image model that knows colors sees them."""

import pytest
import torch
from golden import fill
from safetensors.torch import load_file, save_file
from text_stand_in import color_model
from tiny_generator import tiny_generator

from stylegan.editing.delta_mapper import MapperSettings, load_mapper, save_mapper, train_mapper
from stylegan.editing.direction_file import load_directions, save_directions
from stylegan.editing.edit import edit
from stylegan.editing.text_direction import STRENGTH, channel_effects, direction_of_text, name_of_text
from stylegan.editing.text_edit import TextSettings, edit_by_text
from stylegan.editing.text_model import text_direction
from stylegan.errors import CheckpointError, ConfigError
from stylegan.inversion.w_statistics import random_ws
from stylegan.networks import progan, stylegan3
from stylegan.sampling.generate import draw, to_latents
from stylegan.sampling.latent import Latent

SHORT = TextSettings(steps=25)


@pytest.fixture(scope="module")
def G():
    return tiny_generator()


@pytest.fixture(scope="module")
def model():
    return color_model()


@pytest.fixture(scope="module")
def w(G):
    return random_ws(G, None, 300)[:, 0]


def redness(G, latents):
    images = torch.stack(list(draw(G, latents))).float()
    return images[:, 0].mean((1, 2)) - images[:, 1:].mean((1, 2, 3))


def test_a_search_by_text_moves_images_towards_it_and_l2_holds_them(G, model):
    latents = to_latents(G, [1], psi=0.7)
    before = redness(G, latents)
    moved = edit_by_text(G, latents, model, "red", settings=SHORT)
    held = edit_by_text(G, latents, model, "red", settings=TextSettings(steps=25, l2=1.0))
    assert (redness(G, moved) > before + 15).all()
    for a, b, c in zip(latents, moved, held, strict=True):
        assert 0 < (c.ws - a.ws).norm() < 0.3 * (b.ws - a.ws).norm()


def test_a_source_text_gives_the_direction_of_the_search(G, model):
    latents = to_latents(G, [3], psi=0.7)
    away = edit_by_text(G, latents, model, "blue", source="red", settings=SHORT)
    assert redness(G, away) < redness(G, latents) - 15


def test_layers_offsets_and_noise_of_the_start_stay(G, model):
    style = {"b8.conv1.affine": torch.full([16], 0.1)}
    (plain,) = to_latents(G, [1])
    start = Latent(ws=plain.ws, offsets=style, noise={"b8.conv1.noise_const": torch.ones(8, 8)})
    (moved,) = edit_by_text(G, [start], model, "red", layers=[1, 3], settings=SHORT)
    assert (moved.ws - start.ws).abs().sum(1).nonzero().flatten().tolist() == [1, 3]
    assert moved.offsets is start.offsets
    assert moved.noise is start.noise


def test_the_perceptual_term_keeps_the_image(G, model):
    latents, distances = to_latents(G, [1]), []

    def pixels(a, b):
        return (a - b).square().mean((1, 2, 3))

    for weight in (0.0, 50.0):
        settings = TextSettings(steps=25, perceptual_weight=weight)
        moved = edit_by_text(G, latents, model, "red", settings=settings, perceptual=pixels)
        distances.append(float(pixels(*(torch.stack(list(draw(G, part))).float() for part in (moved, latents)))))
    assert distances[1] < 0.5 * distances[0]


def test_the_learning_rate_rises_for_a_twentieth_and_falls_for_a_quarter_of_the_steps():
    rate = TextSettings().learning_rate
    assert [round(rate(t), 4) for t in (0, 0.025, 0.05, 0.5, 0.75, 0.875, 1)] == [0, 0.05, 0.1, 0.1, 0.1, 0.05, 0]


def test_effects_of_channels_are_the_differences_of_features_that_they_make(G, model, w):
    effects = channel_effects(G, w, model.encode_images, layers=[2], images=3)
    (name,) = effects
    assert not name.endswith("torgb.affine")
    layer = G.synthesis.get_submodule(name)
    deviation = layer(w).std(0)
    features = []
    for sign in (1, -1):
        step = sign * STRENGTH * deviation * torch.eye(len(deviation))[5]
        handle = layer.register_forward_hook(lambda _, args, out, step=step: out + step)
        features.append(model.encode_images(G.synthesis(w[:3, None].repeat(1, G.num_ws, 1), noise_mode="const")))
        handle.remove()
    expected = torch.nn.functional.normalize((features[0] - features[1]).mean(0), dim=0)
    assert torch.allclose(effects[name][5], expected, atol=1e-4)


def test_a_direction_of_a_text_is_an_ordinary_file_that_reddens_images(G, model, w, tmp_path):
    effects = channel_effects(G, w, model.encode_images, images=4)
    goal = text_direction(model, "red", "blue")
    wide = direction_of_text(G, w, effects, goal, name="red", beta=0.1)
    narrow = direction_of_text(G, w, effects, goal, name="redder", beta=0.6)
    assert 0 < moved_channels(narrow) < moved_channels(wide)
    save_directions([wide, narrow], tmp_path / "d.npz")
    latents = to_latents(G, range(6), psi=0.7)
    for direction in load_directions(tmp_path / "d.npz", G).values():
        there, back = ([edit(latent, [(direction, k)]) for latent in latents] for k in (2, -2))
        assert redness(G, there).mean() > redness(G, latents).mean() + 5 > redness(G, back).mean() + 10
    with pytest.raises(ConfigError, match="use a smaller `beta`"):
        direction_of_text(G, w, effects, goal, name="none", beta=1.01)


def moved_channels(direction):
    return sum(int((part != 0).sum()) for part in direction.vector.values())


def test_strength_one_moves_the_most_relevant_channel_by_one_deviation(G, model, w):
    effects = channel_effects(G, w, model.encode_images, layers=[1, 2], images=2)
    goal = text_direction(model, "red", "blue")
    direction = direction_of_text(G, w, effects, goal, name="red")
    name, c = max(
        ((name, c) for name in effects for c in range(len(effects[name]))),
        key=lambda key: abs(float(effects[key[0]][key[1]] @ goal)),
    )
    step = direction.deviation * direction.vector[name][c]
    assert abs(float(step)) == pytest.approx(float(G.synthesis.get_submodule(name)(w).std(0)[c]), rel=1e-4)


def test_texts_give_names_that_a_file_of_directions_takes():
    assert name_of_text("A face: with 'dark' hair/beard!") == "A_face_with_dark_hair_beard"


@pytest.fixture(scope="module")
def mapper(G, model):
    settings = MapperSettings(samples=300, steps=150, hidden=32)
    return train_mapper(G, model.encode_images, encoder=model.identity, settings=settings)


def test_a_mapper_trained_without_text_edits_by_text(G, model, mapper):
    latents = to_latents(G, range(6), psi=0.7)
    change = text_direction(model, "red", "blue")
    there, back = ([mapper.edit(G, latent, model.encode_images, change, k) for latent in latents] for k in (1.5, -1.5))
    assert redness(G, there).mean() > redness(G, latents).mean() + 5 > redness(G, back).mean() + 10
    untouched = mapper.edit(G, latents[0], model.encode_images, change, 0.0)
    assert redness(G, [untouched]) == redness(G, latents[:1])


def test_a_mapper_is_read_back_and_belongs_to_its_network_and_its_encoder(G, model, mapper, tmp_path):
    file = tmp_path / "mapper.safetensors"
    save_mapper(mapper, file)
    again = load_mapper(file, G, model.identity)
    x = torch.randn(2, len(mapper.mean)), torch.randn(2, 4), torch.randn(2, 4)
    assert torch.equal(again(*x), mapper(*x))
    with pytest.raises(CheckpointError, match="was trained with another text model"):
        load_mapper(file, G, "0123456789abcdef")
    other = tiny_generator()
    next(other.mapping.parameters()).data.add_(1)
    with pytest.raises(CheckpointError, match="was trained for another network"):
        load_mapper(file, other, model.identity)
    save_file(load_file(file), file)
    with pytest.raises(CheckpointError, match="is not a mapper that edits by text"):
        load_mapper(file, G, model.identity)
    with pytest.raises(CheckpointError, match="is not a mapper that edits by text"):
        load_mapper(tmp_path / "none", G, model.identity)


def test_a_mapper_of_an_alias_free_network_moves_the_styles_of_its_layers(model):
    G = fill(stylegan3.Generator(16, 0, 16, 16, 3, num_layers=4, channel_base=128, channel_max=16, output_scale=1.0))
    settings = MapperSettings(samples=20, steps=2, hidden=8)
    mapper = train_mapper(G, model.encode_images, encoder=model.identity, settings=settings)
    (latent,) = to_latents(G, [1])
    moved = mapper.edit(G, latent, model.encode_images, text_direction(model, "red"))
    assert set(moved.offsets) == set(mapper.channels)
    assert torch.stack(list(draw(G, [moved]))).shape == (1, 3, 16, 16)


def test_a_network_without_affine_layers_and_a_foreign_latent_are_refused(G, model, w):
    other = progan.Generator(16, 0, 16, 3, channel_base=64, channel_max=16)
    with pytest.raises(ConfigError, match="no affine layers"):
        channel_effects(other, w, model.encode_images)
    with pytest.raises(ConfigError, match="no affine layers"):
        train_mapper(other, model.encode_images, encoder="x")
    with pytest.raises(ConfigError, match="this network takes ws"):
        edit_by_text(G, [Latent(ws=torch.zeros(3, 16))], model, "red")
