"""Command lines of the official tools: each row of the table, and whole commands as people paste them.

PYTHONPATH=tests python tests/cli/test_official.py    writes the tables of docs/official.md again
"""

import json
import re
import shlex
from pathlib import Path

import click
import pytest
from run_cli import run_cli
from tiny_run import tiny_images

from stylegan.cli.main import cli
from stylegan.cli.official import FLAGS, SAME, VERBS, Flag, Verb, markdown
from stylegan.cli.translation import is_placeholder, translate_flags, translate_verb
from stylegan.cli.verbs import VERBS as OURS

PAGE = Path(__file__).parents[2] / "docs" / "official.md"


def options(verb: str) -> set[str]:
    return {name for param in cli.get_command(click.Context(cli), verb).params for name in param.opts}


def example(flag: Flag) -> str:
    """Return a value that the row is about; empty for a row about a flag alone."""
    pattern = flag.theirs.partition(" ")[2]
    if is_placeholder(pattern):
        return {"BOOL": "true", "COLSxROWS": "3x2"}.get(pattern, "0.5")
    return pattern.split("|")[0].replace("*", "s").replace("[b-e]", "c")


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: f"{flag.verb} {flag.theirs}")
def test_every_flag_is_replaced_or_refused_with_its_sentence(flag, capsys):
    name, value = flag.theirs.split(" ")[0], example(flag)
    for given in ([f"{name}={value}"], [name, value], [name.replace("-", "_").replace("__", "--"), value]):
        if flag.ours is None:
            with pytest.raises(click.UsageError) as caught:
                translate_flags(flag.verb, given)
            assert caught.value.message == f"{name} {value}: {flag.note}"
            continue
        pattern = flag.theirs.partition(" ")[2]
        expected = flag.ours.replace(pattern, value) if is_placeholder(pattern) else flag.ours
        assert translate_flags(flag.verb, ["--before", *given, "--after"]) == ["--before", *expected.split(), "--after"]
        assert {word for word in expected.split() if word.startswith("--")} <= options(flag.verb)
        assert capsys.readouterr().err == (f"Note: {name} {flag.note}\n" if flag.note else "")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.theirs)
def test_every_program_is_a_verb_or_is_refused_with_one_sentence(verb: Verb):
    program, *more = verb.theirs.split(" ")
    for name in (program, f"{program}.py", program.replace("_", "-")):
        given = [name, *more, "--seeds", "1"]
        if verb.ours in OURS:
            assert translate_verb(given) == [verb.ours, "--seeds", "1"]
            continue
        message = verb.note if verb.ours is None else f"is the verb {verb.ours} here, which is planned"
        with pytest.raises(click.UsageError, match=re.escape(message)):
            translate_verb(given)


@pytest.mark.parametrize("verb", SAME)
def test_flags_that_are_listed_as_the_same_exist_and_are_not_translated(verb):
    same = SAME[verb].split()
    assert set(same) <= options(verb)
    for name in same:
        assert translate_flags(verb, [name, "1"]) == [name, "1"]


@pytest.mark.parametrize("row", [*FLAGS, *VERBS], ids=lambda row: row.theirs)
def test_every_flag_and_verb_that_a_sentence_names_exists(row):
    verbs = re.findall(r"`stylegan (\w+)", row.note)
    assert set(verbs) <= set(OURS)
    known = set().union(*(options(verb) for verb in OURS))
    assert set(re.findall(r"--[a-z][a-z-]*", row.note)) <= known


def test_a_row_about_any_value_never_hides_an_option_of_the_verb():
    for flag in FLAGS:
        name, _, pattern = flag.theirs.partition(" ")
        assert name not in options(flag.verb) or not is_placeholder(pattern), flag


def test_the_page_has_the_tables_of_the_parser():
    assert PAGE.read_text(encoding="utf-8").endswith("\n" + markdown())


@pytest.fixture(scope="module")
def home(tmp_path_factory, network) -> Path:
    folder = tmp_path_factory.mktemp("home")
    tiny_images(folder / "images", size=16, count=8)
    tiny_images(folder / "wide", size=16, count=2)
    (folder / "datasets").mkdir()
    tiny_images(folder / "classes", classes=2, count=8)
    (folder / "net").symlink_to(network)
    assert run_cli("dataset", "--source", folder / "classes", "--dest", folder / "datasets/mine.zip").code == 0
    return folder


@pytest.fixture(autouse=True)
def at_home(request, tmp_path, monkeypatch):
    if "home" in request.fixturenames:
        monkeypatch.setenv("HOME", str(request.getfixturevalue("home")))
        monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)


TRAIN = "train --outdir=~/training-runs --data=~/datasets/mine.zip"
PLANNED = "is the verb {} here, which is planned"


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        (f"{TRAIN} --gpus=1 --dry-run", {"cfg": "tiny16"}),
        (f"{TRAIN} --mirror -n", {"data.mirror": True, "data.labels": False}),
        (f"{TRAIN} --mirror 1 --cond=True --cfg=tiny16 -n", {"data.mirror": True, "data.labels": True}),
        (
            f"{TRAIN} --cfg=tiny16 --cond=true --mirror=0 --fp32=1 --nobench=1 --workers=3 --desc=first -n",
            {"data.labels": True, "data.mirror": False, "precision": "fp32", "data.workers": 3},
        ),
        (f"{TRAIN} --cfg=tiny16 --metrics=None --allow-tf32=1 --nhwc=1 -n", {"metrics": [], "allow_tf32": True}),
        (f"{TRAIN} --cfg=tiny16 --resume=noresume --seed=3 --snap=10 -n", {"transfer.source": None, "seed": 3}),
        (f"{TRAIN} --cfg=tiny16 --mirror-y=1 -n", {"data.mirror_y": True}),
        (f"{TRAIN} --cfg=tiny16 --aug=ada --initstrength=0.3 --target=0.7 -n", {"augment.start": 0.3}),
        (f"{TRAIN} --cfg=stylegan3-t-tiny16 --gpus=1 --batch=16 --batch-gpu 8 --syn_layers 6 -n", {"micro_batch": 8}),
        ("run_training.py --data=~/datasets/mine.zip --config=config-f --total-kimg=10 --num-gpus=1 "
         "--mirror-augment=true -n", {"cfg": "stylegan2", "kimg": 10, "data.mirror": True}),
    ],
)  # fmt: skip
def test_pasted_training_commands_mean_what_they_say(home, line, settings):
    result = run_cli(*shlex.split(line))
    assert result.code == 0, result.err
    config = json.loads(result.out)
    for name, value in settings.items():
        group, _, setting = name.rpartition(".")
        assert (config[group] if group else config)[setting] == value


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("dataset_tool.py --source=~/images --dest=~/new-16x16.zip --resolution=16x16", "~/new-16x16.zip"),
        ("dataset --source=~/images --dest=~/b.zip --width=8 --height=8 --resize-filter=box", "~/b.zip"),
        ("dataset --source=~/wide --dest=~/c.zip --transform=center-crop --width=8 --height=8 --max_images=1",
         "~/c.zip"),
        ("dataset_tool.py --source='$HOME/images' --dest='${HOME}/d.zip'", "~/d.zip"),
        ("gen_images.py --outdir=out --trunc=1 --seeds=2 --network=~/net", "out/seed0002.png"),
        ("run_generator.py generate-images --network=~/net --seeds=3-4 --truncation-psi=0.5 --result-dir=tf",
         "tf/seed0003.png"),
        ("style_mixing.py --outdir=out --rows=85,100 --cols=55,821 --styles=0-2 --network=~/net", "out/mix.png"),
        ("run_generator.py style-mixing-example --network=~/net --row-seeds=8 --col-seeds=5 --col-styles=0-1",
         "out/mix.png"),
        ("gen_video.py --output=lerp.gif --trunc=1 --seeds=0-1 --grid=1x1 --w-frames=1 --network=~/net", "lerp.gif"),
    ],
)  # fmt: skip
def test_pasted_commands_write_their_files(home, line, written):
    result = run_cli(*shlex.split(line))
    assert result.code == 0, result.err
    assert Path(written).expanduser().exists()
    assert not Path("~").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{TRAIN} --cfg=stylegan3-t --gpus=8 --batch=32 --gamma=8.2 --mirror=1",
         "torchrun --standalone --nproc-per-node 8 -m stylegan train"),
        (f"{TRAIN} --cfg=stylegan3-r --batch=32 --gamma=6.6 --mirror=1 --kimg=5000 --snap=5 "
         "--resume=https://host/stylegan3-r-ffhqu-1024x1024.pkl", "fetch the file yourself, and name it with --resume"),
        (f"{TRAIN} --gpus=1 --resume=ffhq256 --freezed=10", "--resume ffhq256: nothing is downloaded"),
        (f"{TRAIN} --metrics=fid50k_full", "fid50k_efflite0"),
        ("run_training.py --num-gpus=8 --data-dir=~/datasets --config=config-f --dataset=ffhq --mirror-augment=true",
         "--data-dir ~/datasets: TFRecords are not read"),
        (f"{TRAIN} --superres --up_factor 2 --head_layers 7", "--superres: super-resolution stems"),
        ("generate.py --outdir=out --trunc=0.7 --seeds=600-605 --network=https://host/metfaces.pkl",
         "with --network FILE"),
        ("gen_video.py --output=lerp.gif --trunc=1 --seeds=0-31 --grid=4x2 --network=~/net",
         "shows one image at a time"),
        ("calc_metrics.py --metrics=fid50k_full --network=~/net --data=~/datasets/mine.zip --mirror=1",
         "fid50k_efflite0"),
        ("dataset_tool.py create_from_images ~/datasets/x ~/images", "`stylegan dataset --source FOLDER"),
        ("visualizer.py", PLANNED.format("studio")),
        (f"{TRAIN} --frob=1", "No such option '--frob'."),
        (f"{TRAIN} --gpu 1", "No such option '--gpu'. Did you mean '--gpus'?"),
        (f"{TRAIN} --mirror=perhaps -n", "'perhaps' is not a valid boolean"),
        (f"{TRAIN} --data ~/images", "--data is given twice, as ~/datasets/mine.zip and ~/images; give it once."),
        ("dataset --source ~/images --source ~/wide --dest x.zip", "--source is given twice"),
    ],
)  # fmt: skip
def test_pasted_commands_that_cannot_work_get_one_sentence(home, tmp_path, line, message):
    if "which is planned" in message and message.split()[3] in OURS:
        pytest.skip("the verb exists")
    result = run_cli(*line.split())
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []


def test_gpus_are_accepted_under_a_launcher_of_that_number(home, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    from stylegan.cli.launch import _check_gpus

    assert _check_gpus(None, None, 2) is None
    with pytest.raises(click.UsageError, match="--gpus 3 needs 3 processes"):
        _check_gpus(None, None, 3)
    assert translate_flags("train", ["--nobench=1"]) == []


def test_of_an_option_given_twice_the_value_that_counts_is_said(home):
    line = f"{TRAIN} --cfg tiny16 --seed 3 --seed 3 --set ema_kimg=7 --set pl_decay=0.1 --fp32=1 --precision bf16 -n"
    result = run_cli(*line.split())
    assert result.code == 0
    assert result.err.startswith(
        "Note: --precision is given more than once; the last value, bf16, counts.\nThe labels of "
    )
    assert json.loads(result.out)["precision"] == "bf16"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index("## Programs")] + markdown(), encoding="utf-8")
