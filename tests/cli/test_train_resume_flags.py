"""Every flag of `stylegan train` beside --resume is refused or shows in the settings, and none is ignored."""

import json

import click
import pytest
from run_cli import run_cli
from tiny_run import tiny_config, tiny_images

from stylegan.cli.train import command
from stylegan.training.run import new_run_folder

# Flags that change no setting: what is done, where it is shown, and how it may start.
OTHERS = {"resume", "transfer", "dry_run", "tensorboard", "force", "debug", "help"}
VALUES = {
    "batch": "16", "batch_gpu": "4", "cfg": "cpu32", "gamma": "3", "keep": "all", "augpipe": "blit", "device": "auto",
    "metrics": "fid8_efflite0", "assignments": "seed=3",
}  # fmt: skip
FLAGS = [option for option in command.params if isinstance(option, click.Option) and option.name not in OTHERS]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    images = tiny_images(tmp_path_factory.mktemp("images"))
    return new_run_folder(tmp_path_factory.mktemp("runs"), tiny_config(images), "images")


def value_of(option: click.Option, folder) -> list[str]:
    if option.is_flag or option.flag_value is True or option.name == "compile":
        return []
    if option.name == "data":
        return [str(tiny_images(folder / "moved"))]
    if option.name == "config_file":
        (folder / "settings.yaml").write_text("seed: 3\n")
        return [str(folder / "settings.yaml")]
    if isinstance(option.type, click.Choice):
        return [option.type.choices[-1]]
    return [VALUES.get(option.name, "2" if not isinstance(option.type, click.Path) else str(folder))]


@pytest.mark.parametrize("option", FLAGS, ids=lambda option: option.name)
def test_a_flag_beside_resume_is_refused_by_name_or_in_force(run, option, tmp_path):
    before = (run / "config.json").read_bytes()
    result = run_cli("train", "--resume", run, "--dry-run", "--force", option.opts[0], *value_of(option, tmp_path))
    if result.code == 0:
        shown = json.loads(result.out)
        assert shown != json.loads(before)
    else:
        assert result.code == 2, result.err
        assert option.opts[0] in result.err
    assert (run / "config.json").read_bytes() == before
