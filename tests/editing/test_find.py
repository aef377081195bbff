"""Finding directions: each method against what it must find, in networks where that is known."""

import numpy as np
import pytest
import torch
from golden import fill
from tiny_generator import tiny_generator

from stylegan.editing.components import closed_form, pca_in_features, pca_in_w
from stylegan.editing.find import find_directions
from stylegan.editing.styles import affine_layers, affine_matrix, style_channels, style_effects
from stylegan.editing.supervised import (
    linear_direction,
    logistic_regression,
    read_marked_seeds,
    ridge_regression,
)
from stylegan.errors import ConfigError, DataError
from stylegan.inversion.w_statistics import random_ws
from stylegan.networks import progan, stylegan1, stylegan2, stylegan3
from stylegan.sampling.generate import seeds_to_ws

SMALL3 = {"num_layers": 4, "channel_base": 128, "channel_max": 16, "output_scale": 1.0}


def network(generation):
    if generation == 1:
        return fill(stylegan1.Generator(16, 0, 16, 16, 3, mapping_layers=2, channel_base=128, channel_max=16))
    return tiny_generator() if generation == 2 else fill(stylegan3.Generator(16, 0, 16, 16, 3, **SMALL3))


@pytest.fixture(scope="module")
def G():
    return tiny_generator()


@pytest.fixture(scope="module")
def w(G):
    return random_ws(G, None, 400)[:, 0]


def correlation(a, b):
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def cosine(a, b):
    return abs(float(torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0)))


def test_pca_recovers_a_planted_axis_and_its_deviation(G):
    torch.manual_seed(1)
    axis = torch.nn.functional.normalize(torch.randn(16), dim=0)
    w = torch.randn(2000, 16) + 3 * torch.randn(2000, 1) * axis
    first, second = pca_in_w(G, w, count=2)
    assert cosine(first.vector, axis) > 0.99
    assert first.deviation == pytest.approx(10**0.5, rel=0.1)
    assert abs(float(first.vector @ second.vector)) < 1e-5
    with pytest.raises(ConfigError, match="`count` is from 1 to 16 here, got 17"):
        pca_in_w(G, w, count=17)


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_closed_form_directions_are_the_right_singular_vectors_of_the_affine_matrices(generation):
    G = network(generation)
    layers = [1, 2]
    names = affine_layers(G, layers)
    assert set(names.values()) == set(layers)
    unit = torch.eye(16)
    matrices = []
    for name in names:  # from what the layers do, and not from their weights
        layer = G.synthesis.get_submodule(name)
        matrices.append((layer(unit) - layer(torch.zeros(1, 16))).detach().T)
    _, _, vh = np.linalg.svd(torch.cat(matrices).double().numpy())
    w = random_ws(G, None, 50)[:, 0]
    for direction, vector in zip(closed_form(G, w, count=3, layers=layers), vh, strict=False):
        assert cosine(direction.vector, torch.from_numpy(vector)) > 0.9999
        assert direction.layers == (1, 2)


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_every_affine_layer_is_known_with_the_row_that_it_takes(generation):
    G = network(generation)
    rows = affine_layers(G)
    assert sorted(set(rows.values())) == list(range(1 if generation == 3 else 0, G.num_ws))
    first, *_, last = rows
    assert rows[first] == (1 if generation == 3 else 0)
    assert rows[last] == G.num_ws - 1


def test_a_network_without_affine_layers_is_refused_with_one_sentence():
    G = progan.Generator(16, 0, 16, 3, channel_base=64, channel_max=16)
    w = torch.randn(20, 16)
    for method in ("sefa", "style"):
        with pytest.raises(ConfigError, match="no affine layers; find directions in w, by pca or labels"):
            find_directions(G, w, method, count=1)
    assert len(find_directions(G, w, "pca", count=2)) == 2


def test_feature_components_follow_the_axis_of_w_that_the_features_depend_on():
    G = tiny_generator()
    axis = torch.nn.functional.normalize(torch.arange(16.0) - 4, dim=0)
    with torch.no_grad():  # the styles of the first layer depend on nothing but the place along the axis
        affine = G.synthesis.b4.conv1.affine
        affine.weight.copy_(torch.outer(torch.linspace(-1, 1, 16), axis))
        affine.bias.fill_(1)
    direction = pca_in_features(G, torch.randn(1000, 16), count=1, resolution=4)[0]
    assert cosine(direction.vector, axis) > 0.99


def test_effects_of_style_channels_equal_differences_of_images(G, w):
    name, c = "b16.conv1.affine", 4
    estimates = torch.stack([style_effects(G, w[:1], [name], seed=seed)[name][c].sum() for seed in range(60)])
    ws = w[:1, None].repeat(1, G.num_ws, 1)
    layer = G.synthesis.get_submodule(name)
    before = G.synthesis(ws, noise_mode="const")
    handle = layer.register_forward_hook(lambda _, args, out: out + 1e-2 * torch.eye(out.shape[1])[c])
    change = (G.synthesis(ws, noise_mode="const") - before) / 1e-2
    handle.remove()
    assert float(estimates.mean()) == pytest.approx(float(change.square().sum()), rel=0.25)


def test_the_channel_that_makes_an_attribute_is_ranked_first(G, w):
    with torch.no_grad():
        values = (G.synthesis.b8.conv1.affine(w)[:, 6] < 0.8).double()
    best = style_channels(G, w, count=2, values=values)[0]
    assert best.name == "b8.conv1.6"
    assert float(best.vector["b8.conv1.affine"][6]) == -1
    assert len(style_channels(G, w, count=3, layers=[0])) == 3


def test_regressions_find_the_plane_that_made_the_labels():
    torch.manual_seed(1)
    x = torch.randn(3000, 8, dtype=torch.float64) * torch.linspace(0.5, 2, 8) + 1
    normal = torch.linspace(-1, 1, 8, dtype=torch.float64)
    labels = (x @ normal + torch.randn(3000) > 0.3).double()
    weights, bias = logistic_regression(x, labels, penalty=1e-4)
    assert cosine(weights, normal) > 0.99
    assert float(-bias / weights.norm()) == pytest.approx(0.3 / float(normal.norm()), abs=0.1)
    weights, bias = ridge_regression(x, x @ normal + 2, penalty=1e-9)
    assert torch.allclose(weights, normal, atol=1e-6)
    assert float(bias) == pytest.approx(2, abs=1e-6)


def test_separable_labels_have_finite_weights():
    x = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]], dtype=torch.float64)
    weights, bias = logistic_regression(x, (x[:, 0] > 0).double())
    assert 0 < float(weights[0]) < 100
    assert abs(float(bias)) < 1e-3


@pytest.mark.parametrize("soft", [False, True])
def test_a_supervised_direction_flips_a_linear_attribute(G, w, soft):
    axis = torch.nn.functional.normalize(torch.arange(16.0) - 7, dim=0)
    threshold = (w @ axis).median()
    values = w @ axis if soft else (w @ axis > threshold).double()
    direction = linear_direction(G, w, values, name="big")
    assert correlation(w @ direction.vector, w @ axis) > 0.95
    assert ("correlation" if soft else "accuracy") in direction.note
    fresh = random_ws(G, None, 100, seed=5)[:, 0]
    step = 4 * direction.deviation * direction.vector
    assert float(((fresh + step) @ axis > threshold).double().mean()) > 0.97
    assert float(((fresh - step) @ axis > threshold).double().mean()) < 0.03


def test_equal_or_few_values_are_refused(G, w):
    for values in (torch.ones(400), torch.tensor([0.0, 1.0])):
        with pytest.raises(ConfigError, match="a direction for x needs images with and without it"):
            linear_direction(G, w[: len(values)], values, name="x")


def test_marked_seeds_give_a_direction_named_like_their_file(G, tmp_path):
    ws = seeds_to_ws(G, list(range(60)))[:, 0]
    axis = torch.nn.functional.normalize(torch.ones(16), dim=0)
    marks = (ws @ axis > (ws @ axis).median()).int().tolist()
    file = tmp_path / "round.csv"
    file.write_text("seed,value\n" + "".join(f"{seed}, {mark}\n" for seed, mark in enumerate(marks)))
    (direction,) = find_directions(G, ws, "labels", csv=file)
    assert direction.name == "round"
    assert correlation(ws @ direction.vector, ws @ axis) > 0.8
    found = find_directions(G, ws, "style", csv=file, count=2)
    assert [one.name.startswith("round-b") for one in found] == [True, True]
    with pytest.raises(ConfigError, match="the method pca takes no labels"):
        find_directions(G, ws, "pca", csv=file)
    with pytest.raises(ConfigError, match="the method labels needs marked seeds"):
        find_directions(G, ws, "labels")


@pytest.mark.parametrize(
    "text", ["", "seed,value\n", "1\n", "0,1\n1,x\n", "-1,0\n", "1,2,3\n", "4294967296,1\n", "1,inf\n", "\0,1\n"]
)
def test_a_csv_of_other_lines_is_a_data_error(tmp_path, text):
    file = tmp_path / "marks.csv"
    file.write_text(text)
    with pytest.raises(DataError):
        read_marked_seeds(file)


def test_the_matrix_of_an_affine_layer_has_its_gain(G):
    layer = G.synthesis.b4.conv1.affine
    x = torch.randn(5, 16)
    expected = layer(x) - layer.bias
    assert torch.allclose(x @ affine_matrix(G, "b4.conv1.affine").T, expected, atol=1e-5)


def test_stylegan2_of_other_forms_can_be_edited():
    G = fill(stylegan2.Generator(16, 0, 16, 16, 3, channel_base=128, channel_max=16, architecture="resnet"))
    assert "b8.conv0.affine" in affine_layers(G)
