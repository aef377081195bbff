"""`stylegan metrics`."""

import hashlib
import json
import re
import shutil
import warnings

import pytest
import torch
from launch import Launch, command
from PIL import Image
from run_cli import run_cli
from tiny_run import tiny_images

from stylegan.data import prepare
from stylegan.runs.scores import link_best, read_scores


@pytest.fixture
def run(network, tmp_path, monkeypatch):
    """A run folder with two snapshots, and images of its size beside it."""
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    for kimg in ("000004", "000012"):
        shutil.copytree(network, tmp_path / "run" / "snapshots" / kimg)
    tiny_images(tmp_path / "images", count=6)
    return tmp_path / "run"


def test_scores_are_printed_and_kept_in_the_run(run):
    data = run.parent / "images"
    newest, older = run / "snapshots" / "000012", run / "snapshots" / "000004"
    for network, snapshot, names in ((run, newest, "fid8_efflite0, fid4_efflite0"), (older, older, "fid8_efflite0")):
        result = run_cli("metrics", "--network", network, "--data", data, "--metrics", names)
        assert (result.code, result.err) == (0, "")
        eight, *four = result.out.splitlines()
        rest = re.escape(f"8 images of {snapshot} against 6 of {data}, in ")
        assert re.fullmatch(rf"fid8_efflite0 \d+\.\d{{4}}: {rest}[\d.]+ s\.", eight)
        assert [line.split()[0] for line in four] == names.split(", ")[1:]
    first, second = map(json.loads, (run / "metric-fid8_efflite0.jsonl").read_text().splitlines())
    assert first["results"] == second["results"]  # the same weights: the same score, whatever the folder
    assert first["results"]["fid8_efflite0"] > 0
    assert (first["snapshot_pkl"], second["snapshot_pkl"]) == ("snapshots/000012", "snapshots/000004")
    assert (first["metric"], first["fakes"], first["reals"], first["num_gpus"]) == ("fid8_efflite0", 8, 6, 0)
    assert {"total_time", "total_time_str", "timestamp", "detector", "resize", "data_fingerprint"} < set(first)


def test_scores_have_the_exact_number_of_images_of_the_snapshot_and_count_for_the_best(run):
    """The name says whole kimg only."""
    for name, nimg in (("000004", 4008), ("000012", 12_024)):
        config = run / "snapshots" / name / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "nimg": nimg}))
        arguments = ("--data", run.parent / "images", "--metrics", "fid4_efflite0")
        assert run_cli("metrics", "--network", run / "snapshots" / name, *arguments).code == 0
    assert [line["nimg"] for line in read_scores(run)["fid4_efflite0"]] == [4008, 12_024]
    link_best(run, ["fid4_efflite0"])
    assert (run / "best").is_dir()


def test_a_checkpoint_outside_a_run_is_measured_without_keeping_it(run, network, tmp_path):
    arguments = ("--data", tmp_path / "images", "--max-reals", 5, "--metrics", "fid4_efflite0")
    result = run_cli("metrics", "--network", network, *arguments)
    assert result.code == 0
    assert f"4 images of {network} against 5 of " in result.out
    assert not list(tmp_path.rglob("metric-*"))
    assert not list(network.parent.rglob("metric-*"))


def test_two_processes_print_and_keep_one_score_over_shards_by_the_link_to_a_snapshot(run, tmp_path):
    prepare(tmp_path / "images", tmp_path / "shards", shards=4)
    (run / "best").symlink_to("snapshots/000004")
    arguments = ("--network", run / "best", "--data", tmp_path / "shards", "--metrics", "fid20_efflite0")
    launch = Launch(2, tmp_path / "launch", command, "metrics", *arguments)
    assert launch.wait() == [0, 0], launch.output(0) + launch.output(1)
    (line,) = map(json.loads, (run / "metric-fid20_efflite0.jsonl").read_text().splitlines())
    assert (line["snapshot_pkl"], line["kimg"], line["fakes"], line["reals"]) == ("snapshots/000004", 4, 20, 6)
    assert launch.output(0).startswith(
        f"fid20_efflite0 {line['results']['fid20_efflite0']:.4f}: 20 images of {run}/best"
    )
    assert launch.output(1) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--metrics", "fid50k_vgg"],
            "where NETWORK is efflite0, efflite2 or mobilenetv2 (efflite0 for ppl), got 'fid50k_vgg'.",
        ),
        (["--metrics", "fid4_efflite0", "--max-reals", 0], "0 is not in the range x>=1."),
        (["--metrics", "fid4_efflite0", "--data", "nowhere"], "Path 'nowhere' does not exist."),
        (["--metrics", "eqt8"], "a metric is fidNk_NETWORK, fidNk_[class]_NETWORK, kidNk_NETWORK"),
        ([], "Missing option '--metrics'."),
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(run, arguments, message):
    data = () if "--data" in arguments else ("--data", run.parent / "images")
    result = run_cli("metrics", "--network", run, *data, *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_images_of_another_size_exit_with_1(run, tmp_path):
    tiny_images(tmp_path / "small", size=8, count=2)
    result = run_cli("metrics", "--network", run, "--data", tmp_path / "small", "--metrics", "fid4_efflite0")
    assert result.code == 1
    assert result.err.startswith(
        "Error: the network draws 16x16 images of 3 channels with 0 label values, but small has 8x8"
    )


def test_only_metrics_of_equivariance_need_no_data(run):
    result = run_cli("metrics", "--network", run, "--metrics", "eqt4_int,fid4_efflite0")
    assert result.code == 2
    assert "--metrics fid4_efflite0 compares with real images; name them with --data." in result.err


def test_names_of_the_official_tools_take_the_network_of_a_file(run, tmp_path):
    file = tmp_path / "Inception-2015.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten())).save(str(file))
    digits = hashlib.sha256(file.read_bytes()).hexdigest()
    options = ("--data", tmp_path / "images", "--feature-net", file, "--feature-resize", "clean:8")
    result = run_cli(
        "metrics", "--network", run, *options, "--metrics", "fid8,recall8,fid4_efflite0", "--feature-range", "0:1"
    )
    assert (result.code, result.err) == (0, "")
    names = [line.split()[0] for line in result.out.splitlines()]
    own = f"inception2015_{digits[:8]}"
    assert names == [f"fid8_{own}", f"recall8_{own}", "fid4_efflite0"]
    record = json.loads((run / f"metric-fid8_{own}.jsonl").read_text())
    assert (record["detector_sha256"], record["resize"]) == (digits, "clean:8, 0 to 1")
    assert len(record["network_sha256"]) == 64
    result = run_cli("metrics", "--network", run, *options, "--metrics", "fid50k_full")
    assert result.code == 1
    assert "takes 2,048 features, and this network has 3; ask for fid50k, or give another network." in result.err


def test_several_networks_are_a_table_and_a_plot(run, tmp_path):
    pytest.importorskip("matplotlib")
    networks = ("--network", run / "snapshots" / "000004", "--network", run / "snapshots" / "000012")
    options = (
        "--data",
        tmp_path / "images",
        "--metrics",
        "fid4_efflite0,is10_efflite0",
        "--plot",
        tmp_path / "plot.png",
    )
    result = run_cli("metrics", *networks, *options)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[5].split() == ["network", "fid4_efflite0", "is10_efflite0"]
    assert [line.split()[0] for line in lines[6:8]] == [str(path) for path in networks[1::2]]
    assert lines[6].split()[1:] == lines[7].split()[1:]  # the same weights
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_mirrored_reals_are_compared_too_and_a_part_of_them_when_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    images = tiny_images(tmp_path / "images", count=8)
    for options, reals in (([], 8), (["--mirror"], 16), (["--max-reals", 5], 5), (["--mirror", "--max-reals", 5], 10)):
        result = run_cli("metrics", "--images", images, "--data", images, "--metrics", "kid8_efflite0", *options)
        assert f" against {reals} of {images}, in " in result.out


def test_a_folder_of_images_is_compared_with_another_and_shown_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    images, sheet = tiny_images(tmp_path / "images", count=8), tmp_path / "copies.png"
    options = ("--images", images, "--data", images, "--neighbors", sheet)
    result = run_cli("metrics", *options, "--metrics", "fid8_efflite0,coverage8_efflite0,authenticity8_efflite0")
    assert (result.code, result.err) == (0, "")
    distance, coverage, authenticity, wrote = result.out.splitlines()
    assert distance.startswith(f"fid8_efflite0 0.0000: 8 images of {images} against 8 of {images}, in ")
    assert coverage.startswith("coverage8_efflite0 1.0000: ")
    assert authenticity.startswith("authenticity8_efflite0 0.0000: ")
    assert wrote.startswith(f"Wrote {sheet}: pairs of a generated image")
    with Image.open(sheet) as image:
        assert image.size == (16 * 8, 16 * 2)
    result = run_cli("metrics", "--images", images, "--data", images, "--metrics", "fid8_efflite0,ppl8_wend_efflite0")
    assert (result.code, result.out) == (1, "")
    assert result.err == "Error: ppl8_wend_efflite0 measures a network, not a folder of images; leave it out.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metrics", "fid8_efflite0"], "Name what to score with --network or --images."),
        (
            ["--network", "run", "--images", "images", "--metrics", "is8_efflite0"],
            "give --network or --images, not both",
        ),
        (
            ["--images", "images", "--metrics", "fid50k_full"],
            "fid50k_full needs the network Inception, which does not ship",
        ),
        (["--images", "images", "--metrics", "is8_efflite0", "--neighbors", "x.png"], "--neighbors shows the pairs of"),
        (
            ["--images", "images", "--metrics", "is8_efflite0", "--feature-resize", "big"],
            "--feature-resize must be none,",
        ),
        (["--images", "images", "--metrics", "is8_efflite0", "--feature-range", "1"], "two numbers such as 0:255"),
    ],
)
def test_options_that_contradict_each_other_get_a_sentence(run, monkeypatch, arguments, message):
    monkeypatch.chdir(run.parent)
    result = run_cli("metrics", *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_equivariance_is_printed_in_decibels_and_kept(alias_free, tmp_path):
    snapshot = tmp_path / "run" / "snapshots" / "000004"
    shutil.copytree(alias_free, snapshot)
    result = run_cli("metrics", "--network", tmp_path / "run", "--metrics", "eqt5_int,eqt5_frac,eqr5")
    assert (result.code, result.err) == (0, "")
    values = []
    for line, name in zip(result.out.splitlines(), ("eqt5_int", "eqt5_frac", "eqr5"), strict=True):
        match = re.fullmatch(rf"{name} ([\d.]+) dB: 5 images of {re.escape(str(snapshot))}, in [\d.]+ s\.", line)
        values.append(float(match[1]))
        record = json.loads((tmp_path / "run" / f"metric-{name}.jsonl").read_text())
        assert round(record["results"][name], 2) == values[-1]
        assert (record["metric"], record["fakes"], record["seed"]) == (name, 5, 0)
    assert min(values) > 30


def test_equivariance_of_another_network_exits_with_1_and_a_sentence(run):
    result = run_cli("metrics", "--network", run, "--metrics", "eqt4_int")
    assert result.code == 1
    assert result.err == (
        "Error: only images of a StyleGAN3 can be shifted and rotated, and this is another network.\n"
    )
