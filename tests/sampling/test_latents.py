"""Seeds to z."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stylegan.errors import ConfigError
from stylegan.sampling.latents import MAX_COUNT, MAX_SEED, latents, parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", [7]), ("0-3,7", [0, 1, 2, 3, 7]), (" 2, 5 - 6 ", [2, 5, 6]), ("4294967295", [2**32 - 1]), ("1,1", [1, 1])],
)
def test_seeds_are_numbers_and_inclusive_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "seeds are whole numbers and ranges such as 0-3,7, got '' in ''."),
        ("1,,2", "got '' in '1,,2'"),
        ("a-b", "got 'a-b' in 'a-b'"),
        ("-3", "got '-3'"),
        ("1.5", "got '1.5'"),
        ("١", "got '١'"),
        ("7-3", "a range of seeds ascends, got '7-3'; write 3-7."),
        ("0-3,4294967296", "a seed is a whole number from 0 to 4294967295, got 4294967296."),
        ("0-4294967295", "at most 1,000,000 seeds can be drawn at once, got '0-4294967295'; draw them in parts."),
    ],
)
def test_malformed_seeds_are_named_in_one_sentence(text, message):
    with pytest.raises(ConfigError) as error:
        parse_seeds(text)
    assert message in str(error.value)


def test_each_seed_gives_exactly_the_numbers_of_its_own_random_state():
    seeds = [0, 42, 0, 2**32 - 1]
    z = latents(seeds, 512)
    assert z.dtype == torch.float32
    for row, seed in zip(z, seeds, strict=True):
        expected = np.random.RandomState(seed).randn(1, 512).astype(np.float32)[0]
        assert np.array_equal(row.numpy(), expected)


def test_drawing_latents_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    latents([1, 2], 8)
    assert np.array_equal(before, np.random.get_state()[1])


def test_a_seed_out_of_range_is_named():
    with pytest.raises(ConfigError, match=r"from 0 to 4294967295, got -1\."):
        latents([3, -1], 8)


def plain_seeds(text: str) -> list[int] | None:
    """Read the text part by part; return None if it has no meaning."""
    seeds = []
    for part in text.split(","):
        numbers = [number.strip() for number in part.split("-")]
        if len(numbers) > 2 or not all(
            number.isascii() and number.isdigit() and len(number) < 1000 for number in numbers
        ):
            return None
        first, last = int(numbers[0]), int(numbers[-1])
        if not first <= last <= MAX_SEED or len(seeds) + last - first >= MAX_COUNT:
            return None
        seeds += range(first, last + 1)
    return seeds


numbers = st.one_of(st.integers(0, 30), st.integers(2**32 - 5, 2**32 + 5)).map(str)
spaces = st.sampled_from(["", " ", "  "])
ranges = st.builds(lambda a, b, s, t: f"{s}{a}{t}-{s}{b}{t}", numbers, numbers, spaces, spaces)
lists = st.lists(st.one_of(numbers, ranges), min_size=1, max_size=4).map(",".join)
almost = st.text("0123456789-, +._x\n\t\u0661\xa0", max_size=8)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.one_of(lists, almost))
def test_every_text_gives_the_seeds_of_a_plain_reading_or_one_sentence(text):
    expected = plain_seeds(text)
    if expected is None:
        with pytest.raises(ConfigError) as error:
            parse_seeds(text)
        assert str(error.value).endswith(".")
    else:
        assert parse_seeds(text) == expected


@pytest.mark.parametrize("text", ["9" * 5000, "0-" + "9" * 5000, "0" * 5000])
def test_more_digits_than_python_parses_are_one_sentence(text):
    with pytest.raises(ConfigError):
        parse_seeds(text)
