"""Options of all verbs: where one lists choices, they are those of the library."""

import math
from typing import get_args

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylegan.checkpoints.convert import KINDS
from stylegan.cli.main import cli
from stylegan.cli.options import Psi, Psis
from stylegan.cli.verbs import VERBS
from stylegan.data.prepare import LABELS
from stylegan.editing.drag import RULES
from stylegan.editing.drag import SPACES as DRAGGED
from stylegan.images.resize import FILTERS, TRANSFORMS
from stylegan.inference.generator import ENGINES
from stylegan.inversion.encoder import SPACES as ENCODED
from stylegan.inversion.projector import SPACES as PROJECTED
from stylegan.inversion.target import FITS
from stylegan.machine.precision import PRECISIONS
from stylegan.networks.generator import NOISE_MODES
from stylegan.sampling.interpolation import EASINGS, SPACES
from stylegan.sampling.motion import PATHS
from stylegan.training.config import AugmentConfig, TrainConfig

LIBRARY = {
    "aug": get_args(AugmentConfig.model_fields["mode"].annotation),
    "discriminator": get_args(TrainConfig.model_fields["discriminator_kind"].annotation),
    "easing": EASINGS,
    "fit": FITS,
    "engine": ("auto", *ENGINES),
    "kind": KINDS,
    "labels": LABELS,
    "noise_mode": NOISE_MODES,
    "on_nan": get_args(TrainConfig.model_fields["on_nan"].annotation),
    "path": PATHS,
    "precision": PRECISIONS,
    "resize_filter": FILTERS,
    "space": SPACES,
    "transform": [name for name in TRANSFORMS if name],
    "center": ("global", "class"),  # two classes of the library and no constant
}
OF_ONE_VERB = {
    ("drag", "method"): RULES,
    ("drag", "space"): DRAGGED,
    ("train-encoder", "space"): ENCODED,
    ("project", "space"): (*PROJECTED, "pivotal"),  # which searches in w, then tunes the network
}


def choices() -> list[tuple[str, click.Option]]:
    context = click.Context(cli)
    return [
        (verb, option)
        for verb in VERBS
        for option in cli.get_command(context, verb).params
        if isinstance(option.type, click.Choice)
    ]


@pytest.mark.parametrize(("verb", "option"), choices(), ids=lambda x: getattr(x, "name", x))
def test_choices_of_an_option_are_those_of_the_library(verb, option):
    expected = OF_ONE_VERB.get((verb, option.name)) or LIBRARY[option.name]
    assert sorted(option.type.choices) == sorted(expected)


def test_every_list_of_the_library_is_offered():
    offered = choices()
    assert {option.name for verb, option in offered if (verb, option.name) not in OF_ONE_VERB} == set(LIBRARY)
    assert {(verb, option.name) for verb, option in offered} >= set(OF_ONE_VERB)


def test_precisions_to_train_in_are_those_to_draw_in_without_auto():
    assert ("auto", *get_args(TrainConfig.model_fields["precision"].annotation)) == PRECISIONS


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
written = st.one_of(finite.map(repr), finite.map("{:.3f}".format), st.integers(-9, 9).map(str), st.just(" 0.7 "))
lists = st.lists(written, min_size=1, max_size=4).map(",".join)


def plain_numbers(text: str) -> list[float] | None:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    return numbers if not any(math.isnan(number) or math.isinf(number) for number in numbers) else None


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.one_of(lists, st.text("0123456789.,-+e ainf", max_size=6), st.just("9" * 5000)))
def test_every_truncation_is_finite_numbers_or_wrong_usage_and_one_where_only_one_is_drawn(text):
    expected = plain_numbers(text)
    for kind, count in ((Psis(), None), (Psi(), 1)):
        if expected is None or (count and len(expected) != count):
            with pytest.raises(click.BadParameter):
                kind.convert(text, None, None)
        else:
            assert kind.convert(text, None, None) == (expected[0] if count else expected)
