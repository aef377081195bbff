"""A bad value of any setting gets one sentence that names it as it was typed."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest
from pydantic import BaseModel
from run_cli import run_cli
from tiny_run import tiny_images

from stylegan.cli.train import command
from stylegan.cli.train_config import SETTINGS
from stylegan.errors import ConfigError
from stylegan.networks import stylegan2
from stylegan.networks.stylegan2_discriminator import Discriminator
from stylegan.training.assemble import Images, from_preset
from stylegan.training.config import GrowingConfig, TrainConfig

TINY = ("--cfg", "tiny16", "--device", "cpu", "--precision", "fp32")
# Words of pydantic, torch and Python, and two full stops
FOREIGN = re.compile(r"Input should|Value error|valid (dictionary|list|string|tuple)|Traceback|__init__|[^.]\.\.(\s|$)")
A_GROUP = {"a": {"b": 1}}  # no setting takes it


def settings() -> list[str]:
    """Return the dotted name of every setting of a run, with the arguments of the networks of StyleGAN2."""
    names = []
    for name, field in TrainConfig.model_fields.items():
        names.append(name)
        group = GrowingConfig if name == "growing" else field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            names += [f"{name}.{inner}" for inner in group.model_fields]
    for name, network in (("generator", stylegan2.Generator), ("discriminator", Discriminator)):
        names += [f"{name}.{field.name}" for field in fields(network.Settings)]
    return names


def numbers() -> list[str]:
    """Return the names of the settings that are numbers with a lower limit."""
    return [
        name
        for name, field in TrainConfig.model_fields.items()
        if any(hasattr(limit, "ge") or hasattr(limit, "gt") for limit in field.metadata)
    ]


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return tiny_images(tmp_path_factory.mktemp("images"), count=4)


def sentence(images: Path, *arguments: object) -> str:
    """Return the error of `stylegan train`, without the usage before it, on one line."""
    result = run_cli("train", "--data", images, *TINY, "--dry-run", *arguments)
    assert result.code in (1, 2), result.err
    text = " ".join(result.err.rpartition("Error: ")[2].split())
    assert not FOREIGN.search(text), text
    assert text.endswith((".", ")")) or "Invalid value" in text, text
    return text


def test_every_setting_is_covered():
    names = settings()
    assert {name for many in SETTINGS.values() for name in many} <= set(names)
    assert len(names) > 100


@pytest.mark.parametrize("name", settings())
def test_a_value_by_set_is_refused_under_the_name_that_was_typed(images, name):
    text = sentence(images, "--set", f"{name}={A_GROUP}")
    first = name.partition(".")[0]
    assert re.search(rf"(^|\s|'|`){re.escape(name)}\b", text) or (name == first and "no setting" in text), text


@pytest.mark.parametrize("name", numbers())
@pytest.mark.parametrize("value", [-1e9, "many"])
def test_the_library_names_the_setting_in_backticks(name, value):
    with pytest.raises(ConfigError, match=rf"^`{name}` must be ") as error:
        from_preset("tiny16", Images("unused", 16), {name: value})
    assert not FOREIGN.search(str(error.value))


BAD = {
    "cfg": "paper9000",
    "data": "nowhere",
    "discriminator": "foreign",
    "batch": "-3",
    "gamma": "-1",
    "metrics": "fid8_magic",
    "keep": "0",
    "precision": "int8",
    "device": "banana",
    "aug": "some",
    "augpipe": "everything",
    "p": "7",
    "target": "7",
    "on_nan": "cry",
    "freezed": "-1",
    "seed": "-1",
}
WITH = {"p": ("--aug", "fixed"), "target": ("--aug", "ada")}
SWITCHES = {str(param.name) for param in command.params if isinstance(param.type, click.types.BoolParamType)}


@pytest.mark.parametrize("flag", [flag for flag in SETTINGS if flag not in SWITCHES | {"compile"}])
def test_a_value_by_flag_is_refused_under_its_flag(images, flag):
    name = "--" + flag.replace("_", "-")
    text = sentence(images, *WITH.get(flag, ()), name, BAD.get(flag, "-5"))
    assert re.search(rf"(?<![\w-]){name}\b", text), text
    for setting in SETTINGS[flag]:
        assert "_" not in setting or setting not in text, text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--lr", "0"], "--lr must be greater than 0, got 0.0."),
        (["--dlr", "0"], "--dlr must be greater than 0, got 0.0."),
        (["--lr", "1", "--glr", "0"], "--glr must be greater than 0, got 0.0."),
        (["--set", "g_lr=0"], "g_lr must be greater than 0, got 0."),
        (["--snap", "0"], "--snap must be at least 1, got 0."),
        (["--set", "snap_ticks=0"], "snap_ticks must be at least 1, got 0."),
        (["--batch", "7"], "--batch must be a multiple of --mbstd-group 4, got 7."),
        (["--set", "batch=7"], "batch must be a multiple of --mbstd-group 4, got 7."),
        (["--batch", "14", "--batch-gpu", "7"], "--batch-gpu must be a multiple of --mbstd-group 4, got 7."),
        (
            ["--set", "generator.mapping_layers=0"],
            "generator.mapping_layers must be a whole number from 1 to 100, got 0.",
        ),
        (["--set", "cfg=[1]"], "cfg must be text, got [1]."),
        (["--set", "data=5"], "data is a group; give its settings one by one, such as --data, got 5."),
        (["--set", "metrics=[1, 2]"], "metrics must be text, got 1."),
        (["--set", "adam_betas=[1, 2, 3]"], "adam_betas must be a list of at most 2, got [1, 2, 3]."),
    ],
)
def test_a_sentence_names_what_was_typed(images, arguments, text):
    assert sentence(images, *arguments) == text
