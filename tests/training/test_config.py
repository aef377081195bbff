"""The settings of a run: values that no preset names, and how changes, presets and data come together."""

import pytest
from tiny_run import tiny_config

from stylegan.errors import ConfigError
from stylegan.training.assemble import Images, from_preset
from stylegan.training.config import changed, read_config

# StyleGAN2 App. B, StyleGAN2-ADA App. C and D, DiffAugment, WGAN-GP, StyleGAN3 App. E.
PUBLISHED = {
    "adam_betas": (0.0, 0.99),
    "adam_eps": 1e-8,
    "r1_interval": 16,
    "r2_gamma": 0,
    "penalty": "exact",
    "path_length": "running_mean",
    "pl_interval": 4,
    "pl_decay": 0.01,
    "pl_start": 0,
    "pl_batch_shrink": 2,
    "gp_weight": 10,
    "separate_regularization": True,
    "objective": "logistic",
    "precision": "fp32",
    "mapping_lr": None,
    "clip_norm": None,
}
AUGMENT = {
    "pipe": "bgc",
    "p": 0.2,
    "start": 0,
    "target": 0.6,
    "ada_kimg": 500,
    "interval": 4,
    "max_p": 1.0,
    "cutout": 0.5,
}
OURS = {"on_nan": "rollback", "keep_snapshots": 3, "milestone_kimg": None, "metrics": (), "compile": False, "seed": 0}


def test_what_no_preset_names_has_the_published_value():
    config = from_preset("stylegan2", Images("unused", 256))
    assert {name: getattr(config, name) for name in PUBLISHED} == PUBLISHED
    assert config.augment.model_dump() == {"mode": "ada", **AUGMENT}
    assert config.blur.init_sigma == 0
    assert {name: getattr(config, name) for name in OURS} == OURS


@pytest.mark.parametrize("cfg", ["progan-tiny16", "r3gan-tiny16"])
def test_a_single_w_has_no_styles_to_mix(cfg):
    text = r"networks of \w+ with a single w have no styles to mix; set `style_mixing_prob` to 0\."
    with pytest.raises(ConfigError, match=text):
        from_preset(cfg, Images("unused", 16), {"style_mixing_prob": 0.5})


def test_the_half_life_of_the_magnitudes_of_stylegan3_is_20_kimg_whatever_the_batch():
    for batch in (16, 32):
        config = from_preset("stylegan3-t", Images("unused", 256), {"batch": batch})
        assert config.generator["magnitude_ema_beta"] ** (20_000 / batch) == pytest.approx(0.5)


def test_changes_win_over_the_preset_and_the_last_of_them_over_the_others():
    config = tiny_config("unused", **{"r1_gamma": 7.0, "generator.z_dim": 8, "augment": {"mode": "ada"}})
    assert (config.r1_gamma, config.generator["z_dim"], config.augment.mode) == (7, 8, "ada")
    config = tiny_config("unused", **{"augment": {"mode": "ada"}, "augment.mode": "fixed"})
    assert config.augment.mode == "fixed"
    assert (tiny_config("unused").r1_gamma, tiny_config("unused").generator["z_dim"]) == (1, 32)  # left as it was


@pytest.mark.parametrize(
    ("changes", "gpus", "expected"),
    [
        ({}, 1, (32, 4)),
        ({}, 16, (32, 2)),
        ({"batch": 16}, 1, (16, 16)),
        ({"batch": 16}, 4, (16, 4)),
        ({"batch": 16, "micro_batch": 8}, 1, (16, 8)),
    ],
)
def test_the_share_of_a_device_is_computed_at_once_unless_a_number_is_given(changes, gpus, expected):
    config = from_preset("stylegan2", Images("unused", 64), changes, gpus=gpus)
    assert (config.batch, config.micro_batch) == expected


def test_a_configuration_that_was_written_is_read_back_the_same(tmp_path):
    for cfg in ("tiny16", "progan-tiny16", "stylegan3-r-tiny16", "minimal-tiny16"):
        config = from_preset(cfg, Images("unused", 16), {"metrics": ["fid10k_efflite0"], "seed": 5})
        (tmp_path / "config.json").write_text(config.to_json(), encoding="utf-8")
        assert read_config(tmp_path / "config.json") == config


def test_a_changed_configuration_differs_in_what_was_changed_and_is_checked():
    config = tiny_config("unused")
    assert changed(config, {"micro_batch": 4}) == config.model_copy(update={"micro_batch": 4})
    with pytest.raises(ConfigError, match="`batch` must be a multiple of `micro_batch` 3, got 8"):
        changed(config, {"micro_batch": 3})
