"""Directions: their scale, what they move, and their file."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_generator import tiny_generator

from stylegan.editing.direction_file import INDEX, load_directions, save_directions
from stylegan.editing.directions import Direction, measured, orthogonal
from stylegan.editing.edit import combined, direction_sheet, edit, mixed, parse_arithmetic, set_position
from stylegan.errors import ConfigError, DataError
from stylegan.inversion.w_statistics import random_ws
from stylegan.sampling.generate import draw, to_latents
from stylegan.sampling.latent import space_of


@pytest.fixture(scope="module")
def G():
    return tiny_generator()


@pytest.fixture(scope="module")
def w(G):
    return random_ws(G, None, 500)[:, 0]


@pytest.fixture
def direction(G, w):
    return measured(torch.arange(16.0), w, name="up", layers=[1, 2], space=space_of(G), method="hand")


@pytest.fixture
def style(G):
    parts = {"b4.conv1.affine": torch.eye(16)[3], "b8.torgb.affine": torch.eye(16)[5]}
    return Direction(name="tint", vector=parts, deviation=0.5, space=space_of(G), method="style", note="seen")


def test_strength_one_is_one_standard_deviation_of_random_w(G, w, direction):
    places = (direction.coordinate(w[:, None].repeat(1, G.num_ws, 1)) - direction.center) / direction.deviation
    assert abs(float(places.mean())) < 1e-4
    assert abs(float(places.std()) - 1) < 1e-4
    latent = to_latents(G, [3])[0]
    assert direction.position(direction.moved(latent, 2)) == pytest.approx(direction.position(latent) + 2, abs=1e-4)


def test_only_the_layers_of_a_direction_or_those_given_move(G, direction):
    latent = to_latents(G, [3])[0]
    for layers, moved in ((None, [1, 2]), ([0, 5], [0, 5])):
        change = (direction.moved(latent, 1, layers).ws - latent.ws).abs().sum(1)
        assert change.nonzero().flatten().tolist() == moved


def test_a_slider_sets_the_place_along_a_direction(G, direction):
    everywhere = replace(direction, vector=torch.full([G.num_ws, 16], (16 * G.num_ws) ** -0.5), layers=None)
    for one in (direction, everywhere):
        for seed in (0, 7):
            assert one.position(set_position(to_latents(G, [seed])[0], one, -1.5)) == pytest.approx(-1.5, abs=1e-3)


def test_a_style_direction_adds_to_the_styles_and_changes_the_image(G, style):
    latent = to_latents(G, [3])[0]
    twice = edit(latent, [(style, 2), (style, 1)])
    assert torch.equal(twice.ws, latent.ws)
    assert float(twice.offsets["b4.conv1.affine"][3]) == pytest.approx(1.5)
    before, after = draw(G, [latent, twice])
    assert not torch.equal(before, after)
    with pytest.raises(ConfigError, match="in style space and names its layers; leave out `layers`"):
        style.moved(latent, 1, [0])
    with pytest.raises(ConfigError, match="tint is in style space"):
        style.position(latent)


def test_an_orthogonal_direction_leaves_the_others_alone(G, w, direction):
    other = measured(torch.ones(16), w, name="all", layers=None, space=space_of(G), method="hand")
    found = orthogonal(direction, [other], w)
    latent = to_latents(G, [3])[0]
    assert abs(float(found.vector @ other.vector)) < 1e-6
    assert other.position(found.moved(latent, 3, range(6))) == pytest.approx(other.position(latent), abs=1e-4)
    with pytest.raises(ConfigError, match="nothing of it remains"):
        orthogonal(direction, [other, direction], w)


def test_the_sum_a_minus_b_plus_c_is_that_of_their_ws(G):
    a, b, c = to_latents(G, [1, 2, 3])
    named = {"a": a, "b": b, "c": c}
    result = combined([(weight, named[name]) for weight, name in parse_arithmetic("a - b + c")])
    assert torch.allclose(result.ws, a.ws - b.ws + c.ws, atol=1e-6)
    assert parse_arithmetic("0.5*my file.npz + 0.5*3") == [(0.5, "my file.npz"), (0.5, "3")]
    with pytest.raises(ConfigError, match="sum to 1, as in a - b \\+ c"):
        combined([(1, a), (1, b)])
    with pytest.raises(ConfigError, match="of one network"):
        combined([(2, replace(a, space="one")), (-1, replace(b, space="another"))])
    for text in ("", "a + ", "x*a"):
        with pytest.raises(ConfigError, match="with spaces, got"):
            combined([(weight, named[name]) for weight, name in parse_arithmetic(text)])


def test_mixing_takes_the_rows_of_the_other_latent(G):
    a, b = to_latents(G, [1, 2])
    ws = mixed(a, b, [4, 5]).ws
    assert torch.equal(ws, torch.cat([a.ws[:4], b.ws[4:]]))


def test_a_sheet_has_a_row_for_each_latent_and_a_column_for_each_strength(G, direction):
    latents = to_latents(G, [1, 2])
    images = list(direction_sheet(G, latents, direction, [-1, 0, 1]))
    assert len(images) == 6
    assert torch.equal(images[1], next(iter(draw(G, latents[:1]))))
    assert not torch.equal(images[0], images[2])


def test_directions_round_trip_through_their_file(G, direction, style, tmp_path):
    file = tmp_path / "found.npz"
    save_directions([direction, style], file)
    loaded = load_directions(file, G)
    assert list(loaded) == ["up", "tint"]
    for before, after in ((direction, loaded["up"]), (style, loaded["tint"])):
        for key in ("deviation", "center", "layers", "space", "method", "note"):
            assert getattr(before, key) == getattr(after, key)
    assert torch.equal(loaded["up"].vector, direction.vector)
    assert all(torch.equal(loaded["tint"].vector[name], part) for name, part in style.vector.items())


def test_names_that_no_file_can_have_and_equal_names_are_refused(direction, tmp_path):
    for name in ("", "a/b", "..\\b", "a=1", "a:b", "x" * 101, "a\n"):
        with pytest.raises(ConfigError, match="name of a direction has 1 to 100 characters"):
            save_directions([replace(direction, name=name)], tmp_path / "x.npz")
    with pytest.raises(ConfigError, match="have different names"):
        save_directions([direction, direction], tmp_path / "x.npz")


def test_directions_of_another_network_are_refused_with_one_sentence(G, direction, tmp_path):
    other = tiny_generator()
    with torch.no_grad():
        other.mapping.fc0.weight.add_(0.1)
    save_directions([direction], tmp_path / "x.npz")
    with pytest.raises(ConfigError, match="directions of another network: .* find directions for this network\\.$"):
        load_directions(tmp_path / "x.npz", other)
    with pytest.raises(ConfigError, match="belongs to the latent space"):
        direction.moved(replace(to_latents(other, [0])[0], space=space_of(other)), 1)


def file_of(direction, tmp_path, *, entry=None, arrays=None, index=None):
    """Return the file of a direction, with some of its content replaced."""
    save_directions([direction], tmp_path / "x.npz")
    content = dict(np.load(tmp_path / "x.npz"))
    text = json.loads(str(content[INDEX]))
    text["directions"][0] |= entry or {}
    content |= {INDEX: np.array(json.dumps(text))} | (arrays or {})
    if index is not None:
        content[INDEX] = np.array(index)
    np.savez(tmp_path / "y.npz", **content)
    return tmp_path / "y.npz"


@pytest.mark.parametrize(
    "change",
    [
        {"index": "[" * 100_000},
        {"index": "{}"},
        {"index": '{"format": 1, "directions": []}'},
        {"entry": {"name": "../../x"}},
        {"entry": {"deviation": 0.0}},
        {"entry": {"deviation": float("nan")}},
        {"entry": {"deviation": True}},
        {"entry": {"layers": [0.5]}},
        {"entry": {"layers": [-1]}},
        {"entry": {"space": 7}},
        {"arrays": {"0/vector": np.full(16, np.inf, np.float32)}},
        {"arrays": {"0/vector": np.zeros([1, 1, 16], np.float32)}},
        {"arrays": {"0/vector": np.array(["x"] * 16)}},
    ],
)
def test_hostile_content_is_a_data_error(direction, tmp_path, change):
    with pytest.raises(DataError, match="not a file of directions"):
        load_directions(file_of(direction, tmp_path, **change))


@pytest.mark.parametrize(
    "change",
    [{"entry": {"layers": [6]}}, {"arrays": {"0/vector": np.ones(17, np.float32)}},
     {"arrays": {"0/style:b4.conv1.affine": np.ones(3, np.float32)}},
     {"arrays": {"0/style:no.layer": np.ones(16, np.float32)}}],
)  # fmt: skip
def test_what_does_not_fit_the_network_is_a_data_error_though_the_space_does(G, direction, tmp_path, change):
    with pytest.raises(DataError, match="does not fit this network, though its space does"):
        load_directions(file_of(direction, tmp_path, **change), G)


def test_pickles_bombs_and_damaged_files_are_refused(direction, tmp_path, monkeypatch):
    file = tmp_path / "x.npz"
    np.savez(file, directions=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="not a file of directions"):
        load_directions(file)
    save_directions([direction], file)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match="not a file of directions"):
        load_directions(file)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**15,)})
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("0/vector.npy", header.getvalue())
    with pytest.raises(DataError, match="not a file of directions"):
        load_directions(file)
    monkeypatch.setattr("stylegan.editing.direction_file.MAX_BYTES", 100)
    save_directions([direction], file)
    with pytest.raises(DataError, match="more than the limit of 100"):
        load_directions(file)
