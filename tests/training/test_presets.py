"""Named configurations: StyleGAN2-ADA App. C."""

import json
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest
import torch

from stylegan.augment import SAFE_P
from stylegan.errors import ConfigError
from stylegan.networks.family import discriminator_class, generator_class
from stylegan.training.assemble import Images, from_preset
from stylegan.training.config import BlurConfig, GrowingConfig, TrainConfig
from stylegan.training.presets import PRESETS, SIZES, Blur, Network, Preset, preset
from stylegan.training.presets.stylegan2 import STYLEGAN2
from stylegan.training.schedules import annealed

PUBLISHED = {  # kimg, batch, micro batch, mbstd group, channel base, lr, gamma, ema kimg, ramp-up, mapping layers
    "stylegan2": (25000, 32, 4, 4, 32768, 0.002, 10, 10, None, 8),
    "paper256": (25000, 64, 8, 8, 16384, 0.0025, 1, 20, None, 8),
    "paper512": (25000, 64, 8, 8, 32768, 0.0025, 0.5, 20, None, 8),
    "paper1024": (25000, 32, 4, 4, 32768, 0.002, 2, 10, None, 8),
    "cifar": (100000, 64, 32, 32, 32768, 0.0025, 0.01, 500, 0.05, 2),
}
AUTO = {  # resolution: (batch, gamma) on 1, 2, 4, 8 devices
    128: [(32, 0.1024), (64, 0.0512), (64, 0.0512), (64, 0.0512)],
    256: [(16, 0.8192), (32, 0.4096), (64, 0.2048), (64, 0.2048)],
    512: [(8, 6.5536), (16, 3.2768), (32, 1.6384), (64, 0.8192)],
    1024: [(4, 52.4288), (8, 26.2144), (16, 13.1072), (32, 6.5536)],
}

CPU = json.loads((Path(__file__).parent / "cpu_presets.json").read_text())  # every value of those made for a CPU


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_of_the_papers_have_the_published_numbers(name):
    p = preset(name, 256)
    g, d = p.generator, p.discriminator
    assert PUBLISHED[name] == (
        p.kimg, p.batch, p.micro_batch, d.mbstd_group_size, g.channel_base, p.g_lr, p.r1_gamma, p.ema_kimg,
        p.ema_rampup, g.mapping_layers,
    )  # fmt: skip
    assert (g.z_dim, g.w_dim) == (512, 512)
    assert p.d_lr == p.g_lr
    for network in (g, d):
        assert (network.channel_max, network.num_fp16_res, network.conv_clamp) == (512, 4, 256)


def test_cifar_has_neither_path_length_nor_mixing_nor_residuals():
    p = preset("cifar", 32)
    assert (p.pl_weight, p.style_mixing_prob, p.discriminator.architecture) == (0, 0, "orig")
    q = preset("stylegan2", 32)
    assert (q.pl_weight, q.style_mixing_prob, q.discriminator.architecture) == (2, 0.9, "resnet")


@pytest.mark.parametrize("resolution", AUTO)
def test_auto_follows_the_resolution_and_the_devices(resolution):
    for gpus, (batch, gamma) in zip((1, 2, 4, 8), AUTO[resolution], strict=True):
        c = from_preset("auto", Images("", resolution), gpus=gpus)
        assert (c.batch, c.micro_batch, c.r1_gamma) == (batch, batch // gpus, pytest.approx(gamma))
        assert c.discriminator["mbstd_group_size"] == min(batch // gpus, 4)
        assert (c.ema_kimg, c.ema_rampup, c.kimg) == (batch * 10 / 32, 0.05, 25000)
        assert c.generator["mapping_layers"] == 2
        assert c.generator["channel_base"] == (32768 if resolution >= 512 else 16384)
        assert c.g_lr == (0.002 if resolution >= 1024 else 0.0025)


def test_auto_never_has_fewer_images_than_devices():
    assert preset("auto", 8192, gpus=4).batch == 4


def test_stylegan3_has_the_published_numbers():
    """StyleGAN3 App. E, and the guidance on gamma of its authors."""
    for name in ("stylegan3-t", "stylegan3-r"):
        p = preset(name, 512)
        assert (p.g_lr, p.d_lr, p.r1_gamma, p.ema_rampup) == (0.0025, 0.002, 8, 0.05)
        assert (p.pl_weight, p.style_mixing_prob, p.batch) == (0, 0, 32)
        assert p.discriminator.channel_base == 32768
        assert [preset(name, r).r1_gamma for r in (128, 256, 1024)] == [0.5, 2, 32]
    t, r = preset("stylegan3-t", 512), preset("stylegan3-r", 512)
    assert (t.generator.channel_base, r.generator.channel_base, r.generator.channel_max) == (32768, 65536, 1024)
    assert (t.blur.init_sigma, r.blur.init_sigma) == (0, 10)


def test_progan_and_stylegan1_grow_as_published():
    for name, start, kimg in (("progan", 4, 12000), ("stylegan1", 8, 25000)):
        p = preset(name, 1024)
        assert (p.g_lr, p.d_lr, p.kimg, p.batch) == (0.001, 0.001, kimg, 32)
        assert p.growing == GrowingConfig(
            initial_resolution=start,
            training_kimg=600,
            transition_kimg=600,
            batch={4: 512, 8: 256, 16: 128, 32: 64},
            lr={128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003},
        )
    assert preset("progan", 64).ema_beta == 0.999
    p = preset("stylegan1", 64)
    assert (p.r1_gamma, p.r1_interval, p.style_mixing_prob, p.objective, p.ema_beta) == (10, 1, 0.9, "logistic", None)


def test_the_minimal_preset_is_that_of_the_specification():
    p = preset("minimal", 64)
    assert (p.g_lr, p.mapping_lr, p.clip_norm, p.batch) == (1e-3, 1e-5, 1.0, 32)
    assert (p.r1_interval, p.pl_interval, p.pl_start, p.style_mixing_prob) == (4, 32, 5000, 0.9)
    # Its weights are of images in [0, 1], which have half the range of ours: 10 for R1, 1 for path lengths.
    assert p.r1_gamma / 4 == 10
    assert p.pl_weight * p.pl_interval * 4 == 1


def test_r3gan_has_the_published_numbers():
    for resolution, gamma in ((64, 2), (256, 150)):
        p = preset("r3gan", resolution)
        assert p.r1_gamma == p.r2_gamma == pytest.approx(gamma)
    assert (p.objective, p.r1_interval, p.batch, p.kimg, p.g_lr, p.d_lr) == ("relativistic", 1, 256, 20000, 2e-4, 2e-4)
    assert (p.pl_weight, p.style_mixing_prob, p.generator.z_dim) == (0, 0, 64)
    config = from_preset("r3gan", Images("", 64))
    for nimg, lr, beta2, gamma, ema_kimg, augment_p in (
        (0, 2e-4, 0.9, 2, 0, 0),
        (10_000_000, 1.25e-4, 0.945, 1.1, 250, 0.15),
        (20_000_000, 5e-5, 0.99, 0.2, 500, 0.3),
    ):
        now = annealed(config, nimg)
        assert now.g_lr == now.d_lr == pytest.approx(lr)
        assert now.r1_gamma == now.r2_gamma == pytest.approx(gamma)
        assert (*now.adam_betas, now.ema_kimg, now.augment.p) == pytest.approx((0, beta2, ema_kimg, augment_p))
    assert 0.05 < preset("r3gan", 32).r1_gamma < 0.5  # published: CIFAR-10 and ImageNet-32


@pytest.mark.parametrize("name", ["auto", *PRESETS])
def test_augmentation_is_capped_in_our_sizes_alone(name):
    p = preset(name, 64) if name == "auto" else PRESETS[name]
    assert p.augment.max_p == (SAFE_P if p.resolution else 1)


def test_a_misspelt_setting_is_refused_where_the_preset_is_written():
    with pytest.raises(TypeError, match="r1_gama"):
        replace(STYLEGAN2, r1_gama=1.0)
    with pytest.raises(TypeError, match="channel_bse"):
        Network(channel_bse=1)
    assert {f.name for f in fields(Preset)} - {"resolution"} <= set(TrainConfig.model_fields)
    assert {f.name for f in fields(Blur)} == set(BlurConfig.model_fields)


@pytest.mark.parametrize("name", CPU)
def test_presets_for_a_cpu_hold_what_the_table_says(name):
    expected, p = CPU[name], preset(name, CPU[name]["resolution"])
    settings = p.settings()
    for group in ("generator", "discriminator"):
        settings[group].pop("magnitude_ema_beta", None)  # follows the batch
        assert settings.pop(group) == expected[group], group
    assert (settings.pop("architecture"), p.resolution) == (expected["architecture"], expected["resolution"])
    training = {name: value for name, value in expected["training"].items() if value is not None}
    assert settings.pop("augment")["mode"] == training.pop("augment")["mode"]
    assert settings.pop("blur") == training.pop("blur", {"init_sigma": 0, "fade_kimg": 200})
    if growing := training.pop("growing", None):
        assert settings.pop("growing") == {"batch": {}, "lr": {}, **growing}
    assert settings == training


def test_the_table_has_every_generation_in_every_size():
    assert set(CPU) == {name for name in PRESETS if name.endswith(tuple(SIZES))}
    assert len(CPU) == 21


@pytest.mark.parametrize("name", ["auto", *PRESETS])
def test_a_step_is_a_whole_number_of_micro_batches_and_groups(name):
    p = preset(name, PRESETS[name].resolution or 64 if name != "auto" else 64)
    assert p.batch % p.micro_batch == 0
    assert p.micro_batch % (p.discriminator.mbstd_group_size or 4) == 0


@pytest.mark.parametrize("name", ["auto", *PRESETS])
def test_every_preset_builds_both_networks_with_its_settings(name):
    p = preset(name, PRESETS[name].resolution or 64 if name != "auto" else 64)
    batch, resolution = p.micro_batch, p.resolution or 64
    channels, labels = (3, 0) if p.architecture == "minimal" else (1, 2)
    shape = {"c_dim": labels, "img_resolution": resolution, "img_channels": channels}
    config = from_preset(name, Images("", resolution, channels, labels))
    with torch.device("meta"):
        G = generator_class(p.architecture)(**config.generator)
        D = discriminator_class(p.architecture)(**config.discriminator)
        z, c = torch.empty(batch, G.z_dim), torch.empty(batch, labels)
        assert D(G(z, c), c).shape == (batch, 1)
    for network, settings in ((G, p.generator.arguments()), (D, p.discriminator.arguments())):
        settings.pop("magnitude_ema_beta", None)  # follows the batch
        assert {key: getattr(network.settings, key) for key in (*shape, *settings)} == {**shape, **settings}


def test_a_made_to_measure_preset_takes_its_resolution_alone():
    made = {name: p.resolution for name, p in PRESETS.items() if p.resolution}
    assert {name: made[name] for name in SIZES} == {"cpu64": 64, "cpu32": 32, "tiny16": 16}
    generations = ("progan", "stylegan1", "stylegan3-t", "stylegan3-r", "minimal", "r3gan")
    assert made == {"cpu64": 64, "cpu32": 32, "tiny16": 16} | {
        f"{generation}-{size}": made[size] for generation in generations for size in SIZES
    }
    text = (
        r"`cfg` cpu64 is made for 64 px, but the data has 32; prepare the images at `resolution` 64, or choose another "
        r"`cfg`\."
    )
    with pytest.raises(ConfigError, match=text):
        preset("cpu64", 32)


def test_an_unknown_cfg_is_named_with_all_there_are():
    text = r"`cfg` must be one of auto, progan, .*, r3gan, paper256, .* such as stylegan3-t-cpu32, got 'paper64'\."
    with pytest.raises(ConfigError, match=text):
        preset("paper64", 64)


def test_a_preset_is_a_value_that_cannot_be_changed_in_place():
    p = preset("stylegan2", 64)
    with pytest.raises(FrozenInstanceError):
        p.resolution = 1
    p.settings()["generator"]["w_dim"] = 1
    assert (p.generator | Network(w_dim=64)).w_dim == 64
    assert p.generator.w_dim == 512
