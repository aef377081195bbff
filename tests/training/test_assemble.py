"""Settings are put together in a stated order, and those that follow the batch do so unless they are given."""

import pytest
from tiny_run import tiny_config

from stylegan.errors import ConfigError
from stylegan.training.assemble import SMALL_CHANNEL_BASE, Given, Images, assemble, auto_gamma, dotted, from_preset
from stylegan.training.config import DataConfig, changed
from stylegan.training.presets import SIZES

IMAGES = Images("data.zip", 256)


def test_assignments_win_over_flags_and_flags_over_the_file_and_that_over_the_preset():
    layers = [{"kimg": 1.0}, {"kimg": 2.0}, {"kimg": 3.0}]
    for number in range(4):
        given = Given(*layers[:number])
        assert assemble("stylegan2", IMAGES, given).kimg == (number or 25000)
        assert given.all.get("kimg") == (number or None)


def test_later_layers_change_single_settings_of_a_group():
    given = Given({"augment.target": 0.5, "augment.p": 0.1}, {"augment.p": 0.3}, {"generator.w_dim": 64})
    config = assemble("stylegan2", IMAGES, given)
    assert (config.augment.target, config.augment.p, config.augment.mode) == (0.5, 0.3, "ada")
    assert (config.generator["w_dim"], config.generator["z_dim"]) == (64, 512)


def test_the_data_dictate_its_shape_and_how_it_was_opened():
    data = DataConfig(path="/elsewhere.zip", mirror=True)
    config = assemble("auto", Images("data.zip", 128, 1, 4), Given({"data.mirror": False}), data=data)
    assert config.data == data
    for network in (config.generator, config.discriminator):
        assert (network["img_resolution"], network["img_channels"], network["c_dim"]) == (128, 1, 4)


def test_assembling_changes_nothing_that_it_is_given():
    given = Given({"blur": {}}, {"growing.lr": {64: 0.1}}, {"blur.init_sigma": 3})
    assemble("progan", IMAGES, given)
    assert (given.file, given.flags) == ({"blur": {}}, {"growing.lr": {64: 0.1}})
    assert assemble("progan", IMAGES, Given()).growing.lr[128] == 0.0015


def test_groups_are_spelt_with_dots():
    assert dotted({"batch": 4, "generator": {"w_dim": 64}, "growing": None}) == {
        "batch": 4, "generator.w_dim": 64, "growing": None,
    }  # fmt: skip


@pytest.mark.parametrize("batch", [8, 16, 32, 64])
def test_stylegan3_averages_and_blurs_over_as_many_steps_with_any_batch(batch):
    """StyleGAN3: half-lives of batch * 10 / 32 and 20 kimg, blur for batch * 200 / 32."""
    config = from_preset("stylegan3-r", IMAGES, {"batch": batch})
    assert config.ema_kimg == batch * 10 / 32
    assert config.blur.fade_kimg == batch * 200 / 32
    assert config.generator["magnitude_ema_beta"] ** (20e3 / batch) == pytest.approx(0.5)
    assert config.r1_gamma == 2  # the advice for 256 pixels


def test_auto_follows_the_batch_that_is_given():
    config = from_preset("auto", IMAGES, {"batch": 8})
    assert (config.ema_kimg, config.r1_gamma) == (2.5, pytest.approx(0.0002 * 256**2 / 8))


@pytest.mark.parametrize(
    ("name", "value"),
    [("r1_gamma", 7.0), ("ema_kimg", 3.0), ("blur.fade_kimg", 9.0), ("generator.magnitude_ema_beta", 0.9)],
)
def test_what_is_given_does_not_follow_the_batch(name, value):
    config = from_preset("stylegan3-r", IMAGES, {"batch": 8, name: value}).model_dump()
    group, _, setting = name.rpartition(".")
    assert (config[group] if group else config)[setting] == value


@pytest.mark.parametrize("cfg", ["stylegan2", "paper256", "cifar", "progan", "stylegan1", "minimal"])
def test_published_half_lives_stay_with_any_batch(cfg):
    assert from_preset(cfg, IMAGES, {"batch": 64}).ema_kimg == from_preset(cfg, IMAGES).ema_kimg


def test_any_of_them_may_be_asked_to_follow_the_batch():
    assert from_preset("stylegan2", IMAGES, {"batch": 16, "ema_kimg": "auto"}).ema_kimg == 5
    assert tiny_config("unused", ema_kimg="auto").ema_kimg == 2.5


@pytest.mark.parametrize("name", SIZES)
def test_the_guess_of_gamma_for_a_small_network_is_at_least_that_of_the_sizes_for_a_cpu(name):
    size = SIZES[name]
    for cfg in (name, f"stylegan1-{name}", f"stylegan3-r-{name}"):
        images = Images("unused", size.resolution)
        assert from_preset(cfg, images, {"r1_gamma": "auto"}).r1_gamma == size.r1_gamma
    assert max(size.channels.channel_base for size in SIZES.values()) == SMALL_CHANNEL_BASE


@pytest.mark.parametrize(
    ("resolution", "batch", "channel_base", "gamma"),
    [
        (32, 32, 2048, 1.0),
        (64, 32, 4096, 2.0),
        (256, 4, 4096, 0.0002 * 256**2 / 4),  # more than the floor
        (32, 32, 16384, 0.0064),
        (256, 64, 16384, 0.2048),
        (1024, 32, 32768, 6.5536),
        (32, 32, None, 0.0064),
    ],
)
def test_the_guess_of_gamma_for_a_network_as_wide_as_those_of_the_papers_is_the_published_one(
    resolution, batch, channel_base, gamma
):
    assert auto_gamma(batch, resolution, channel_base) == pytest.approx(gamma)


def test_auto_with_a_narrow_discriminator_follows_the_small_networks():
    narrow = {"discriminator.channel_base": 2048}
    assert from_preset("auto", Images("unused", 32), narrow).r1_gamma == 1
    assert from_preset("auto", Images("unused", 32)).r1_gamma == pytest.approx(0.0064)


@pytest.mark.parametrize(
    ("changes", "processes", "expected"),
    [
        ({}, 1, (32, 4)),
        ({}, 16, (32, 2)),
        ({"batch": 64}, 1, (64, 64)),
        ({"batch": 64}, 8, (64, 8)),
        ({"batch": 64, "micro_batch": 4}, 8, (64, 4)),
        ({"batch": "auto"}, 8, (32, 4)),
        ({"batch": "auto", "micro_batch": 64}, 8, (32, 4)),  # the file of another run
    ],
)
def test_a_device_computes_its_share_of_a_batch_at_once(changes, processes, expected):
    config = from_preset("stylegan2", IMAGES, changes, gpus=processes)
    assert (config.batch, config.micro_batch) == expected


def test_auto_precision_is_that_of_the_machine_except_for_minimal_networks():
    for cfg, expected in (("stylegan2", "bf16"), ("minimal", "fp32")):
        assert assemble(cfg, IMAGES, Given(), precision="bf16").precision == expected
        assert assemble(cfg, IMAGES, Given({"precision": "auto"}), precision="bf16").precision == expected
    assert assemble("stylegan2", IMAGES, Given({"precision": "fp16"}), precision="bf16").precision == "fp16"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kimg": -1}, "`kimg` must be greater than 0, got -1."),
        ({"style_mixing_prob": 2}, "`style_mixing_prob` must be at most 1, got 2."),
        ({"batch": "many"}, "`batch` must be a whole number, got 'many'."),
        ({"batch": 1.5}, "`batch` must be a whole number, got 1.5."),
        ({"g_lr": "fast"}, "`g_lr` must be a number, got 'fast'."),
        ({"compile": "perhaps"}, "`compile` must be true or false or 'auto', got 'perhaps'."),
        (
            {"objective": "lpips"},
            "`objective` must be 'logistic', 'wasserstein_gp', 'hinge' or 'relativistic', got 'lpips'.",
        ),
        ({"keep_snapshots": 0}, "`keep_snapshots` must be at least 1 or 'all', got 0."),
        ({"keep_snapshots": "some"}, "`keep_snapshots` must be a whole number or 'all', got 'some'."),
        ({"adam_betas": 3}, "`adam_betas` must be a list, got 3."),
        ({"adam_betas": [0, 2]}, "`adam_betas` must be in [0, 1), got (0.0, 2.0)."),
        ({"augment.max_p": 3}, "`augment.max_p` must be at most 1, got 3."),
        ({"augment": 3}, "`augment` must be a group of settings, got 3."),
        ({"color": "blue"}, "there is no setting 'color', got 'blue'; correct the name, or leave it out."),
        ({"blur.sigma": 1}, "there is no setting 'blur.sigma', got 1; correct the name, or leave it out."),
        ({"metrics": ["eqt1k"]}, None),
    ],
)
def test_every_refused_setting_gets_one_sentence_with_one_full_stop(changes, message):
    with pytest.raises(ConfigError) as error:
        tiny_config("unused", **changes)
    text = str(error.value)
    assert message is None or text == message
    assert text.endswith(".")
    assert not text.endswith("..")
    assert "Input should be" not in text


def test_a_configuration_changes_by_dotted_name_and_stays_checked():
    config = tiny_config("unused")
    other = changed(config, {"data.workers": 2, "kimg": 9})
    assert (other.data.workers, other.kimg, config.data.workers) == (2, 9, 4)
    with pytest.raises(ConfigError, match=r"`data.workers` must be at least 1, got 0\."):
        changed(config, {"data.workers": 0})
    with pytest.raises(ConfigError, match=r"there is no setting 'machine.x'; the groups are data, .*growing\."):
        changed(config, {"machine.x": 0})
