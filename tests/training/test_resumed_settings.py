"""A resumed run refuses every setting that it does not take over, and none is ignored."""

from pathlib import Path
from typing import Any

import pytest
from tiny_run import tiny_config, tiny_images

from stylegan.errors import ConfigError
from stylegan.training.config import TrainConfig
from stylegan.training.plan import CHANGEABLE, resumed_plan
from stylegan.training.run import new_run_folder

OTHERS = {  # a value that the setting may have, where twice as much is none
    "adam_betas": (0.5, 0.9),
    "architecture": "stylegan1",
    "augment.mode": "ada",
    "augment.pipe": "blit",
    "cfg": "cpu32",
    "compile": True,
    "data.path": None,  # made by the fixture
    "device": "auto",
    "discriminator_kind": "projected",
    "feature_net": "vgg16",
    "feature_range": (-1.0, 1.0),
    "feature_resize": "clean:299",
    "growing": {"initial_resolution": 8},
    "keep_snapshots": "all",
    "metrics": ("fid8_efflite0",),
    "micro_batch": 4,
    "objective": "hinge",
    "on_nan": "stop",
    "path_length": "previous_mean",
    "penalty": "approximate",
    "precision": "bf16",
    "style_mixing_prob": 0.5,
}


def leaves(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every setting by its dotted name."""
    found = {}
    for name, value in settings.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name: value}
    return found


def another(name: str, value: Any) -> Any:
    if name in OTHERS:
        return OTHERS[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value / 2 if isinstance(value, float) and 0 < value <= 1 else value * 2 + (value == 0)
    if isinstance(value, (tuple, list)):
        return [*value, 1]
    return 1 if value is None else f"{value}x"


SETTINGS = leaves(tiny_config(Path("unused")).model_dump())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = tiny_config(tiny_images(tmp_path_factory.mktemp("images")))
    folder = new_run_folder(tmp_path_factory.mktemp("runs"), config, "images")
    return folder, config


def test_the_settings_tried_are_all_of_them():
    fields = set(TrainConfig.model_fields)
    assert {name.partition(".")[0] for name in SETTINGS} == fields
    assert set(CHANGEABLE) <= set(SETTINGS)
    assert set(OTHERS) <= set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_changed_setting_is_refused_or_in_force(run, name, tmp_path):
    folder, config = run
    before = (folder / "config.json").read_bytes()
    value = str(tiny_images(tmp_path / "moved")) if name == "data.path" else another(name, SETTINGS[name])
    assert value != SETTINGS[name]
    if name not in CHANGEABLE:
        with pytest.raises(ConfigError, match=name):
            resumed_plan(folder, {name: value})
    else:
        plan = resumed_plan(folder, {name: value})
        assert leaves(plan.config.model_dump())[name] == value
        others = {key: kept for key, kept in leaves(plan.config.model_dump()).items() if key != name}
        assert others == {key: kept for key, kept in leaves(config.model_dump()).items() if key != name}
    assert (folder / "config.json").read_bytes() == before


@pytest.mark.parametrize("name", ["nothing", "data.nothing", "data", "generator", "augment.mode.x", ""])
def test_a_name_that_is_no_setting_is_refused(run, name):
    with pytest.raises(ConfigError):
        resumed_plan(run[0], {name: 1})
