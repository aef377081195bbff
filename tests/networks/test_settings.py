"""Settings of networks: the flat call, and one sentence for everything absurd before anything is built."""

import inspect
import json
import pydoc
import re
import time
import tracemalloc
from dataclasses import MISSING, FrozenInstanceError, asdict, fields
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stylegan.errors import ConfigError
from stylegan.networks import minimal_gan, progan, r3gan, stylegan1, stylegan2, stylegan3
from stylegan.networks.settings import Between, Numbers, OneOf, PowerOfTwo, Whole, _hints

NETWORKS = {
    f"{family.__name__.rsplit('.', 1)[1]}.{kind}": getattr(family, kind)
    for family, kind in product(
        (progan, stylegan1, stylegan2, stylegan3, minimal_gan, r3gan), ("Generator", "Discriminator")
    )
}
EVERY_NETWORK = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
FIELDS = [
    pytest.param(network, field.name, id=f"{name}.{field.name}")
    for name, network in NETWORKS.items()
    for field in fields(network.Settings)
]
TOO_MUCH = [3_000_000, 10**9, 2**30, 10**12, 10**400]
ABSURD = [
    *TOO_MUCH, *[-n for n in TOO_MUCH], -1, 0, 1, 2, 7, 0.5, 1e-300, 1e300, float("nan"), float("inf"), -float("inf"),
    True, False, None, "x", "lrelu", "x" * 100_000, "512", [], [[]], {}, [0, 0], [1, -1], [1] * 100_000, ["x"],
    [float("nan")], [True], b"x", object(), 1 + 1j, torch.ones(1), np.nan,
]  # fmt: skip


def attempt(make, **words):
    """Return the result of `make` or its ConfigError; assert that either takes little time and memory."""
    tracemalloc.start()
    start = time.process_time()
    try:
        return make(**words)
    except ConfigError as error:
        return error
    finally:
        assert time.process_time() - start < 5
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
        tracemalloc.stop()


def bounds(network, name):
    """Return the bounds of a field, and whether it may be None."""
    hint = _hints(network.Settings)[name]
    alternatives = getattr(hint, "__args__", ())
    optional = type(None) in alternatives
    annotated = hint if hasattr(hint, "__metadata__") else next((a for a in alternatives if a is not type(None)), hint)
    return (annotated.__metadata__[0] if hasattr(annotated, "__metadata__") else bool), optional


@EVERY_NETWORK
def test_the_flat_call_has_the_names_defaults_and_types_of_the_settings(network):
    parameters = list(inspect.signature(network).parameters.values())
    assert [p.name for p in parameters] == [field.name for field in fields(network.Settings)]
    assert [p.default for p in parameters] == [field.default for field in fields(network.Settings)]
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    generator = ["z_dim", "c_dim", "w_dim"] if "Generator" in network.__name__ else ["c_dim"]
    if network in (progan.Generator, r3gan.Generator):
        generator.remove("w_dim")
    assert positional == [*generator, "img_resolution", "img_channels"]
    assert "img_resolution: int = 256" in pydoc.render_doc(network, renderer=pydoc.plaintext)
    with torch.device("meta"):
        assert network().settings == network.Settings()


@EVERY_NETWORK
def test_unknown_words_and_values_by_place_that_take_words_are_type_errors(network):
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'size'"):
        network(size=3)
    with pytest.raises(TypeError, match="positional argument"):
        network(*[1] * 6)


@EVERY_NETWORK
def test_settings_are_values_that_survive_json(network):
    changed = {"img_resolution": 16}
    if "resample_filter" in network.Settings.__dataclass_fields__:
        changed["resample_filter"] = [1, 2, 1]
    value = network.Settings(**changed)
    again = network.Settings(**json.loads(json.dumps(asdict(value))))
    assert again == value
    assert hash(again) == hash(value)
    with pytest.raises(FrozenInstanceError):
        value.img_resolution = 32


def test_numbers_of_numpy_become_numbers_of_python():
    value = stylegan2.GeneratorSettings(np.int64(8), conv_clamp=np.float32(0.5), resample_filter=[np.float64(1), 1])
    assert json.loads(json.dumps(asdict(value)))["conv_clamp"] == 0.5
    assert type(value.z_dim) is int


@pytest.mark.parametrize(("network", "name"), FIELDS)
def test_an_absurd_value_is_refused_in_one_sentence(network, name):
    allowed, optional = bounds(network, name)
    refused = 0
    for value in ABSURD:
        result = attempt(network.Settings, **{name: value})
        if allowed is bool:
            valid = isinstance(value, bool)
        else:
            valid = value is None if value is None or isinstance(value, bool) else allowed.admits(value)
        if not (valid and (value is not None or optional)):
            assert isinstance(result, ConfigError), value
            assert str(result).startswith(f"{name} must be "), value
            refused += 1
        if isinstance(result, ConfigError):
            assert re.fullmatch(r"[^\n]{1,300}[.]", str(result))
            assert ". " not in str(result)
    assert refused > 25


@pytest.mark.parametrize(("network", "name"), FIELDS)
def test_every_field_refuses_what_is_of_another_type_or_far_too_large(network, name):
    allowed, _ = bounds(network, name)
    wrong = [10**10, 10**400, -(10**10), float("nan"), float("inf"), "x", {}, [], object()]
    for value in wrong if allowed is bool else [*wrong, True]:
        assert isinstance(attempt(network.Settings, **{name: value}), ConfigError)


def extremes(network, name):
    allowed, optional = bounds(network, name)
    default = network.Settings.__dataclass_fields__[name].default
    values = [default]
    if allowed is bool:
        values += [True, False]
    elif isinstance(allowed, Whole | PowerOfTwo | Between):
        values += [allowed.low, allowed.high]
    elif isinstance(allowed, OneOf):
        values += allowed.words
    elif isinstance(allowed, Numbers):
        values += [(1,), (1.5,) * allowed.most]
    assert default is not MISSING
    return [*values, None] if optional else values


@EVERY_NETWORK
@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_mixture_of_the_smallest_and_largest_values_is_refused_or_builds_at_once(network, data):
    words = {
        field.name: data.draw(st.sampled_from(extremes(network, field.name)), field.name)
        for field in fields(network.Settings)
    }
    with torch.device("meta"):  # as when a checkpoint is opened
        assert isinstance(attempt(network, **words), ConfigError | network)


def test_settings_that_contradict_each_other_are_refused():
    for words, text in (
        ({"num_layers": 3, "num_critical": 3}, "num_layers must be above num_critical, and that above 0, got 3, 3"),
        ({"conv_kernel": 2}, "conv_kernel must be odd, got 2"),
        ({"first_cutoff": 8, "first_stopband": 4}, "first_stopband must be above first_cutoff, got 4 and 8"),
        (
            {"first_cutoff": 130, "first_stopband": 140},
            "must be at most those of the last layer, 128 and 157.586, got 130",
        ),
        ({"channel_base": 1}, "channel_base 1 and channel_max 512 leave no channel in layer 0; enlarge them"),
    ):
        with pytest.raises(ConfigError, match=text):
            stylegan3.GeneratorSettings(**words)
    with pytest.raises(ConfigError, match="a discriminator needs images of at least 8x8, got 4x4"):
        stylegan2.DiscriminatorSettings(img_resolution=4)
    with pytest.raises(ConfigError, match="mapping_layers must be a whole number from 0 to 100, got 101"):
        stylegan2.DiscriminatorSettings(c_dim=3, mapping_layers=101)
    with pytest.raises(ConfigError, match="leave no channel at 256x256; enlarge them"):
        progan.DiscriminatorSettings(channel_base=128)
