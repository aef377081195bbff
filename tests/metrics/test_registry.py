"""The table of metrics: names, and the meaning and requirements of each row."""

from dataclasses import replace

import pytest
from moments import Moments
from tiny_generator import tiny_generator
from tiny_run import tiny_images
from waves import Waves

from stylegan.data import open_dataset
from stylegan.errors import ConfigError
from stylegan.metrics.equivariance import KINDS, equivariance
from stylegan.metrics.features import DETECTORS
from stylegan.metrics.fid import fid
from stylegan.metrics.registry import METRICS, UNKNOWN, Request, is_complete, meaning_of, parse, parse_all
from stylegan.networks.family import ARCHITECTURES


@pytest.mark.parametrize(
    ("name", "key", "num", "detector"),
    [
        ("fid10k_efflite0", "fid", 10_000, "efflite0"),
        ("fid64_efflite0", "fid", 64, "efflite0"),
        ("fid10k_efflite2", "fid", 10_000, "efflite2"),
        ("fid10k_mobilenetv2", "fid", 10_000, "mobilenetv2"),
        ("eqt50k_int", "eqt_int", 50_000, None),
        ("eqt64_frac", "eqt_frac", 64, None),
        ("eqr2k", "eqr", 2000, None),
    ],
)
def test_a_name_is_a_row_with_the_number_of_images_and_the_feature_network(name, key, num, detector):
    assert parse(name) == Request(key=key, num=num, detector=detector)
    assert parse(name).name == name


def test_every_way_to_write_a_number_is_one_name():
    assert parse("fid2000_efflite0").name == "fid2k_efflite0"


@pytest.mark.parametrize(
    "name",
    ["fid", "fid0k_efflite0", "mse10k_efflite0", "fid50k_inception", "ppl1k_wend_efflite2", "eqt50k", "eqr50k_int",
     "eqt0k_int", "eq", "eqt_int", "eqr10k_efflite0", ""],
)  # fmt: skip
def test_other_names_get_a_sentence_with_all_that_can_be_measured(name):
    with pytest.raises(ConfigError) as error:
        parse(name)
    networks = "efflite0, efflite2 or mobilenetv2"
    assert str(error.value).startswith("a metric is fidNk_NETWORK, fidNk_[class]_NETWORK, kidNk_NETWORK, mindNk_")
    assert str(error.value).endswith(
        f"eqtNk_[int|frac] or eqrNk, where NETWORK is {networks} (efflite0 for ppl), got {name!r}."
    )


@pytest.mark.parametrize("name", ["fid10k", "kid50k_full", "pr50k3_full", "is50k", "ppl2_wend", "ppl_zfull"])
def test_names_without_a_network_get_a_sentence_with_those_that_work_offline(name):
    with pytest.raises(ConfigError, match=f"^{name} needs .*; use one that works offline, as in .*_efflite0"):
        parse_all(name)


@pytest.mark.parametrize(
    ("official", "names"),
    [
        ("fid50k_full", ["fid50k_net"]),
        ("fid10k", ["fid10k_net"]),
        ("kid5k_full", ["kid5k_net"]),
        ("pr50k3_full,fid50k_full", ["precision50k_net", "recall50k_net", "fid50k_net"]),
        ("pr1000_3", None),
        ("pr10003", ["precision1k_net", "recall1k_net"]),
        ("is50k", ["is50k_net"]),
        ("ppl2_wend", ["ppl50k_wend_net"]),
        ("ppl_zfull", ["ppl50k_zfull_crop_net"]),
        ("eqt50k_int,eqt50k_frac,eqr50k", ["eqt50k_int", "eqt50k_frac", "eqr50k"]),
        ("fid50k_efflite0", ["fid50k_efflite0"]),
    ],
)
def test_official_names_are_rows_with_the_network_of_a_file(official, names):
    if names is None:
        with pytest.raises(ConfigError, match="a metric is"):
            parse_all(official, "net")
        return
    assert [request.name for request in parse_all(official, "net")] == names


def test_the_full_name_of_a_score_through_a_file_is_read_without_the_file():
    request = parse("ppl2k_wend_crop_vgg16_0123abcd")
    assert request == Request(key="ppl_wend_crop", num=2000, detector="vgg16_0123abcd")
    assert is_complete(request.name)
    assert not is_complete("fid50k_full")
    with pytest.raises(ConfigError, match="sees images through the file vgg16_0123abcd, and no `feature_net` is"):
        request.load_detector()


def test_every_row_has_a_name_that_leads_to_it():
    for key, metric in METRICS.items():
        name = Request(key=key, num=8, detector=next(iter(metric.networks), None)).name
        assert parse(name).key == key
        assert meaning_of(name) is metric


def test_the_name_says_unit_direction_and_form():
    assert meaning_of("fid10k_efflite0").lower_is_better
    assert meaning_of("fid10k_network_of_tomorrow") is METRICS["fid"]
    assert (meaning_of("eqr2k").unit, meaning_of("eqr2k").lower_is_better) == ("dB", False)
    assert (meaning_of("fid10k_efflite0").text(12.34567), meaning_of("eqr2k").text(47.916)) == ("12.3457", "47.92 dB")
    assert meaning_of("eqr2k").text(47.916, same_as_discriminator=True) == "47.92 dB (features of the discriminator)"
    assert meaning_of("mse10k_efflite0") is meaning_of("of tomorrow") is UNKNOWN


def test_rows_name_known_generations_and_kinds():
    assert all(set(metric.architectures) <= set(ARCHITECTURES) for metric in METRICS.values())
    assert set(KINDS) == {key for key in METRICS if key.startswith("eq")}


def test_what_a_generation_or_channels_exclude_gets_a_sentence():
    parse("eqr8").check("stylegan3", 4)
    parse("fid8_efflite0").check("progan", 1)
    with pytest.raises(ConfigError, match=r"^eqr8 can be measured with stylegan3 only, not with progan; leave it out"):
        parse("eqr8").check("progan", 3)
    with pytest.raises(ConfigError, match=r"^fid8_efflite0 takes gray or RGB images, got 4 channels; leave this"):
        parse("fid8_efflite0").check("stylegan2", 4)


def test_rows_measure_what_their_functions_measure(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(DETECTORS, "moments", Moments)
    dataset, G = open_dataset(tiny_images(tmp_path / "images")), tiny_generator()
    request = parse("fid20_moments")
    score = request.measure(G, dataset=dataset, detector=request.load_detector(), seed=3)
    assert score == fid(G, dataset, Moments(), num=20, seed=3)
    for features in ("moments", "efflite0"):
        other = request.measure(G, dataset=dataset, detector=Moments(), discriminator_features=features, seed=3)
        assert other == replace(score, same_as_discriminator=features == "moments")
    for key in KINDS:
        waves = Waves(stuck=0.1)
        assert Request(key=key, num=8).measure(waves, seed=3) == equivariance(waves, key, num=8, seed=3)


def test_what_is_missing_gets_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="this metric compares with real images; give the data set"):
        parse("fid8_efflite0").measure(tiny_generator())
    with pytest.raises(ConfigError, match="this metric compares features; give the feature network"):
        dataset = open_dataset(tiny_images(tmp_path / "images", count=2))
        parse("fid8_efflite0").measure(tiny_generator(), dataset=dataset)
