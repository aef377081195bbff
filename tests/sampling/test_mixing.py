"""Style mixing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_generator import tiny_generator

from stylegan.errors import ConfigError
from stylegan.sampling.generate import generate_images
from stylegan.sampling.mixing import mix_ws, mixing_matrix, named_styles, parse_styles

ROWS, COLS = [0, 1], [5, 6, 7]


def mix(G, row_seeds, col_seeds, layers, **options):
    """The mixing matrix without its border."""
    width = 1 + len(col_seeds)
    matrix = mixing_matrix(G, row_seeds, col_seeds, layers, **options)
    return [image for k, image in enumerate(matrix) if k >= width and k % width]


def images(stream):
    return torch.stack(list(stream)).int()


def nearly_equal(a, b):
    return (a - b).abs().max() <= 1  # batches of another size round otherwise


def test_no_layers_give_the_row_images_and_all_layers_the_column_images():
    G = tiny_generator()
    rows, columns = images(generate_images(G, ROWS)), images(generate_images(G, COLS))
    none = images(mix(G, ROWS, COLS, [])).unflatten(0, (2, 3))
    every = images(mix(G, ROWS, COLS, range(G.num_ws), batch=4)).unflatten(0, (2, 3))
    assert nearly_equal(none, rows[:, None].expand_as(none))
    assert nearly_equal(every, columns[None].expand_as(every))


def test_the_named_layers_come_from_the_column():
    row, column = torch.zeros(6, 4), torch.ones(6, 4)
    assert mix_ws(row, column, [0, 1, 4])[:, 0].tolist() == [1, 1, 0, 0, 1, 0]
    assert not row.any()


def test_the_matrix_has_the_seeds_own_images_as_its_border():
    G = tiny_generator()
    matrix = images(mixing_matrix(G, ROWS, COLS, [0, 1], psi=0.7)).unflatten(0, (3, 4))
    assert not matrix[0, 0].any()
    assert nearly_equal(matrix[0, 1:], images(generate_images(G, COLS, psi=0.7)))
    assert nearly_equal(matrix[1:, 0], images(generate_images(G, ROWS, psi=0.7)))
    assert nearly_equal(matrix[1:, 1:].flatten(0, 1), images(mix(G, ROWS, COLS, [0, 1], psi=0.7)))


def test_names_mean_the_resolutions_of_the_paper():
    styles = named_styles(18)
    assert [list(styles[name]) for name in ("coarse", "middle")] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert list(styles["fine"]) == list(range(8, 18))


@pytest.mark.parametrize("num_ws", [2, 4, 6, 8, 10, 12, 14, 16, 18])
def test_names_share_all_layers_out(num_ws):
    styles = named_styles(num_ws)
    assert [layer for layers in styles.values() for layer in layers] == list(range(num_ws))
    assert num_ws < 3 or all(styles.values())


@pytest.mark.parametrize(
    ("text", "layers"),
    [("0-3", [0, 1, 2, 3]), ("coarse", [0, 1, 2, 3]), ("0-6,9", [*range(7), 9]), ("5, coarse,2", [0, 1, 2, 3, 5])],
)
def test_styles_are_layers_ranges_and_names(text, layers):
    assert parse_styles(text, 14) == layers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bold", "styles are layers such as 0-6,9 or the names coarse, middle, fine, got 'bold'."),
        ("", "got ''."),
        ("3-1", "a range of layers ascends, got '3-1'; write 1-3."),
        ("0-14", "this network has the layers 0-13, got '0-14'."),
    ],
)
def test_malformed_styles_are_named_in_one_sentence(text, message):
    with pytest.raises(ConfigError) as error:
        parse_styles(text, 14)
    assert message in str(error.value)


def plain_layers(text: str, num_ws: int) -> list[int] | None:
    """Read the text part by part; return None if it has no meaning."""
    layers: set[int] = set()
    for part in map(str.strip, text.split(",")):
        bounds = part.split("-")
        if part in ("coarse", "middle", "fine"):
            layers.update(named_styles(num_ws)[part])
        else:
            whole = len(bounds) <= 2 and all(bound.isascii() and bound.isdigit() for bound in bounds)
            if not whole or not int(bounds[0]) <= int(bounds[-1]) < num_ws:
                return None
            layers.update(range(int(bounds[0]), int(bounds[-1]) + 1))
    return sorted(layers)


names = st.sampled_from(["coarse", "middle", "fine", " fine ", "Fine", "coarsemiddle"])
layers = st.integers(0, 20).map(str)
parts = st.one_of(names, layers, st.builds("{}-{}".format, layers, layers), st.text("0123-, f\u0661", max_size=5))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(parts, min_size=1, max_size=4).map(",".join), st.integers(1, 18))
def test_every_text_gives_the_layers_of_a_plain_reading_or_one_sentence(text, num_ws):
    expected = plain_layers(text, num_ws)
    if expected is None:
        with pytest.raises(ConfigError) as error:
            parse_styles(text, num_ws)
        assert str(error.value).endswith(".")
    else:
        assert parse_styles(text, num_ws) == expected


@given(st.integers(1, 40))
def test_the_three_names_together_are_every_layer_once(num_ws):
    assert [layer for name in named_styles(num_ws).values() for layer in name] == list(range(num_ws))


def test_more_digits_than_python_parses_are_one_sentence():
    with pytest.raises(ConfigError, match="styles are layers"):
        parse_styles("0-" + "9" * 5000, 6)
