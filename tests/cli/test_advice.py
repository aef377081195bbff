"""Advice in messages can be followed: the verb that prints it accepts the flags it recommends, in that situation."""

import ast
import json
import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from run_cli import run_cli
from text_stand_in import install, write_model
from tiny_run import tiny_images
from torch import Tensor, nn

import stylegan
from stylegan.cli.messages import flags
from stylegan.editing.text_model import DEFAULT_MODEL
from stylegan.inversion import Encoder, EncoderSettings, Task, save_encoder
from stylegan.training import plan
from stylegan.training.config import TrainConfig
from stylegan.training.estimate import Estimate

LIBRARY = Path(stylegan.__file__).parent
TINY = "--cfg tiny16 --tick 0.008 --snap 1 --device cpu --precision fp32 --batch 8"
NEW = "train --data {data} {tiny} -n"
RESUMED = "train --resume {run} --kimg 0.016 -n"
FROM_WEIGHTS = "train --resume {snapshot} {tiny} -n"
DRAWN = "generate --network {network} --device cpu --seeds 0 --outdir {out}"
DRAWN_CLASS = "generate --network {pets} --device cpu --seeds 0 --outdir {out}"
PREPARED = "dataset --source {data} --dest {out}.zip --resolution 16"

FOUND = "directions find --network {network} --samples 20 --count 2 --out {out}.npz"
SEEN = "edit --network {network} --seeds 0 --text red --num-steps 1 --outdir {out}"
MEASURED = "metrics --network {network} --device cpu --data {data} --metrics kid8 --feature-net {scripted}"

ENCODED = "train-encoder --network {network} --device cpu --kimg 0.008 --outdir {out}"
TRANSLATED = "translate --network {network} --device cpu --input {data}/000.png --outdir {out}"

# (module, names of the advice) -> commands that follow it
ADVICE: dict[tuple[str, ...], list[str]] = {
    ("checkpoints/convert.py", "overwrite"): ["convert {network} {taken} --force"],
    ("checkpoints/native.py", "encoder"): [TRANSLATED + " --encoder {sketch}"],
    ("data/class_folders.py", "labels"): [PREPARED + " --labels none"],
    ("data/dataset.py", "balanced"): [NEW],
    ("data/labels.py", "prepare", "labels"): [PREPARED + " --labels none"],
    ("data/open.py", "prepare"): [PREPARED],
    ("data/pixels.py", "prepare"): [PREPARED],
    ("data/shards/index.py", "prepare", "shards"): [PREPARED.replace("{out}.zip", "{out}") + " --shards 4"],
    ("data/shards/remote.py", "resume"): [RESUMED],
    ("editing/directions.py", "layers"): [FOUND + " --method style"],
    ("editing/directions.py", "out"): [FOUND + " --method pca --orthogonal"],
    ("editing/find.py", "csv", "data"): [
        FOUND + " --method labels --csv {marked}",
        FOUND + " --method labels --data {labeled_set}",
        FOUND + " --method pca",
    ],
    ("editing/delta_mapper.py", "text_model"): [SEEN + " --text-model {colors} --mapper {mapper}"],
    ("editing/text_direction.py", "beta"): [FOUND + " --method text --text red --text-model {colors} --beta 0.01"],
    ("editing/text_model.py", "text_model"): [SEEN + " --text-model {colors}"],
    ("editing/text_model.py", "download", "text_model"): [SEEN + " --download", SEEN + " --text-model {colors}"],
    ("images/resize.py", "resolution"): [PREPARED],
    ("images/resize.py", "transform"): [PREPARED + " --transform center-crop"],
    ("inversion/target.py", "fit"): [
        f"project --network {{network}} --target {{data}}/000.png --mask {{data}}/000.png --fit {fit} --steps 0"
        for fit in ("crop", "pad")
    ],
    ("inversion/tasks.py", "inputs", "data"): [ENCODED + " --task pairs --data {data} --inputs {data}"],
    ("inversion/tasks.py", "mask"): [TRANSLATED + " --encoder {inpaint} --mask {data}/000.png"],
    ("inversion/fit.py", "steps"): [TRANSLATED + " --encoder {parts}"],
    ("inversion/translate.py", "mask"): [TRANSLATED + " --encoder {sketch}"],
    ("inference/generator.py", "compile", "engine"): [f"{DRAWN} --compile false", f"{DRAWN} --engine torch"],
    ("inference/generator.py", "device"): [f"{DRAWN} --device cpu"],
    ("inference/openvino.py", "engine"): [f"{DRAWN} --engine torch"],
    ("inference/openvino.py", "precision"): [f"{DRAWN} --precision fp32"],
    ("machine/devices.py", "device"): [f"{NEW} --device auto", f"{RESUMED} --device cpu", f"{DRAWN} --device auto"],
    ("machine/processes.py", "device"): [f"{NEW} --device cpu", f"{RESUMED} --device cpu"],
    ("metrics/feature_file.py", "feature_net"): [MEASURED, f"{NEW} --metrics fid8 --feature-net {{scripted}}"],
    ("metrics/protocol.py", "prepare"): [PREPARED],
    ("metrics/registry.py", "data.labels"): ["train --data {labeled} {tiny} -n --cond"],
    ("metrics/registry.py", "feature_net"): [MEASURED, f"{NEW} --metrics fid8 --feature-net {{scripted}}"],
    ("metrics/subject.py", "mirror"): [MEASURED],
    ("metrics/subject.py", "network"): [MEASURED],
    ("metrics/torchscript.py", "feature_resize"): [f"{MEASURED} --feature-resize {way}" for way in ("none", "clean:8")],
    ("models/__init__.py", "convert"): ["convert {network} {out}"],
    ("networks/minimal_gan.py", "precision"): [f"{DRAWN} --precision fp32"],
    ("ops/minibatch_std.py", "mbstd_group_size"): [f"{NEW} --mbstd-group 2"],
    ("runs/alarms.py", "r1_gamma", "g_lr", "d_lr"): [f"{FROM_WEIGHTS} --gamma 5 --glr 0.001 --dlr 0.001"],
    ("runs/alarms.py", "r1_gamma", "augment.mode"): [f"{FROM_WEIGHTS} --gamma 5 --aug ada"],
    ("runs/alarms.py", "augment.mode"): [f"{FROM_WEIGHTS} --aug ada"],
    ("runs/folder.py", "desc"): [f"{NEW} --desc short"],
    ("runs/folder.py", "outdir"): [f"{NEW} --outdir {{out}}"],
    ("sampling/generate.py", "precision"): [f"{DRAWN} --precision fp32"],
    ("sampling/generate.py", "batch"): [f"{DRAWN} --batch 1"],
    ("sampling/interpolation.py", "space"): [
        "interpolate --network {network} --device cpu --seeds 0-1 --frames 1 --dest {out}.gif --space w"
    ],
    ("sampling/labels.py", "label"): [f"{DRAWN_CLASS} --class cat", DRAWN],
    ("sampling/tar_output.py", "outdir"): [DRAWN],
    ("training/batches.py", "transfer"): [
        FROM_WEIGHTS.replace("{snapshot}", "{run} --transfer --data {labeled} --cond")
    ],
    ("training/config.py", "data.labels"): ["train --data {labeled} {tiny} -n --balanced --cond"],
    ("training/config.py", "anneal.kimg"): [f"{NEW} --set anneal.lr=0.5 --set anneal.kimg=2"],
    ("training/config.py", "growing"): [f"{NEW} --set growing=null"],
    ("training/config.py", "mapping_lr"): [f"{FROM_WEIGHTS} --freeze-mapping --set mapping_lr=null"],
    ("training/config.py", "style_mixing_prob"): [
        NEW.replace("{tiny}", "--cfg minimal-tiny16 --device cpu") + " --set style_mixing_prob=0"
    ],
    ("training/encoder/batches.py", "prepare"): [PREPARED],
    ("training/encoder/config.py", "data", "inputs"): [ENCODED + " --task labels --data {data} --inputs {flat}"],
    ("training/encoder/config.py", "inputs"): [ENCODED + " --data {data}"],
    ("training/encoder/run.py", "kimg"): [ENCODED + " --kimg 0.016"],
    ("training/encoder/run.py", "batch"): [ENCODED + " --batch 4"],
    ("training/estimate.py", "micro_batch", "force"): [
        f"{command} {more}" for command in (NEW, RESUMED) for more in ("--batch-gpu 4", "--force")
    ],
    ("training/estimate.py", "snap_ticks", "keep_snapshots", "force"): [
        f"{command} --snap 100 --keep 1 --force" for command in (NEW, RESUMED)
    ],
    ("training/estimate.py", "data.cache_gb", "force"): [
        f"{command} {more}" for command in (NEW, RESUMED) for more in ("--set data.cache_gb=0.1", "--force")
    ],
    ("training/health.py", "on_nan", "precision"): [
        f"{RESUMED} --on-nan rollback",
        f"{NEW} --lr 0.001 --precision fp32",
    ],
    ("training/health.py", "precision"): [f"{NEW} --lr 0.001 --precision fp32"],
    ("training/plan.py", "micro_batch", "batch"): [f"{NEW} --batch auto", f"{NEW} --batch 4 --batch-gpu 4"],
    ("training/plan.py", "data.labels"): ["train --data {labeled} {tiny} -n --cond"],
    ("training/plan.py", "data.path"): [f"{FROM_WEIGHTS} --data {{data}}", f"{NEW} --set data.path={{data}}"],
    ("training/plan.py", "kimg"): [RESUMED],
    ("training/presets/catalog.py", "resolution", "cfg"): [PREPARED, f"{NEW} --cfg stylegan1-tiny16"],
    ("training/replicas.py", "micro_batch", "batch"): [
        f"{NEW} --batch-gpu 4",
        f"{NEW} --batch 16",
        f"{RESUMED} --batch-gpu 4",
    ],
    ("training/failures.py", "micro_batch"): [f"{NEW} --batch-gpu 4", f"{RESUMED} --batch-gpu 4"],
    ("training/transfer.py", "cfg"): [f"{FROM_WEIGHTS} --cfg stylegan2 --kimg 1"],
}


def words_of(command: str) -> list[str]:
    """Return the words of a command, in which a later flag replaces an earlier one, except --set."""
    verb, *words = shlex.split(command)
    options: dict[str, list[str]] = {(name := ""): []}  # without a name: what comes before the first flag
    for i, word in enumerate(words):
        if word.startswith("-"):
            name = word if word != "--set" else f"--set{i}"
            options[name] = [word]
        else:
            options[name].append(word)
    return [verb, *(word for option in options.values() for word in option)]


@cache
def advice() -> dict[tuple[str, ...], str]:
    """Return the last part of every message of the library that names settings there: what to do."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        module = path.relative_to(LIBRARY).as_posix()
        # A model card is no message, and the messages of the studio are for requests.
        if module.startswith(("cli/", "studio/")) or module == "checkpoints/bundle.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
        inner = {id(node.body[0].value) for node in documented if isinstance(node.body[0], ast.Expr)}
        nodes = [node for node in ast.walk(tree) if id(node) not in inner]
        inner |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in inner:
                text = "".join(part.value for part in ast.walk(node) if isinstance(getattr(part, "value", 0), str))
                names = re.findall(r"`([\w.]+)`", re.split(r"; |\. (?=Start|Resume)", text)[-1])
                names = [name for name in names if name in flags() or name.split(".")[0] in TrainConfig.model_fields]
                if names and re.search(r"; |\. (?=Start|Resume)|^use ", text):
                    found[(module, *dict.fromkeys(names))] = text
    return found


class MeanColor(nn.Module):
    """A feature network in TorchScript."""

    def forward(self, x: Tensor) -> Tensor:
        return x.to(torch.float32).mean(2).mean(2)


@pytest.fixture(scope="module")
def places(tmp_path_factory, network, pets) -> dict[str, object]:
    root = tmp_path_factory.mktemp("root")
    data = tiny_images(root / "data", count=8)
    labels = [[f"{i:03d}.png", i % 2] for i in range(8)]
    (tiny_images(root / "labeled", count=8) / "dataset.json").write_text(json.dumps({"labels": labels}))
    command = f"train --data {data} {TINY} --kimg 0.008 --outdir {root / 'runs'}"
    assert run_cli(*command.split()).code == 0
    (run,) = (root / "runs").iterdir()
    snapshot = run / "snapshots/000000"
    here = {"data": data, "labeled": root / "labeled", "run": run, "snapshot": snapshot, "tiny": TINY}
    marked, taken = root / "smile.csv", root / "taken"
    marked.write_text("".join(f"{seed},{seed % 2}\n" for seed in range(8)))
    shutil.copytree(network, taken)
    labeled_set = root / "set.zip"
    run_cli("dataset", "--source", root / "labeled", "--dest", labeled_set)
    scripted = root / "features.pt"
    torch.jit.save(torch.jit.script(MeanColor()), scripted)
    flat = tiny_images(root / "flat", count=8)
    for file in flat.iterdir():
        Image.new("RGB", (16, 16), "red").save(file)
    G = stylegan.load(network, device="cpu")
    for task in ("sketch", "inpaint"):
        save_encoder(Encoder(EncoderSettings.of(G, Task(name=task), space="w", passes=1)), root / task)
    parts = EncoderSettings.of(G, Task(name="labels", colors=((0, 0, 0),)), space="w", passes=1)
    save_encoder(Encoder(parts), root / "parts")
    here |= {"flat": flat, "sketch": root / "sketch", "inpaint": root / "inpaint", "parts": root / "parts"}
    more = {"scripted": scripted, "marked": marked, "taken": taken, "labeled_set": labeled_set}
    return {**here, **more, "network": network, "pets": pets}


@pytest.fixture(scope="module")
def text_models(tmp_path_factory, network):
    """A text-image model and a mapper for it, with stand-ins of the packages that open and download such models."""
    root = tmp_path_factory.mktemp("text")
    with pytest.MonkeyPatch.context() as monkeypatch:
        install(monkeypatch, root)
        write_model(root / DEFAULT_MODEL.removeprefix("hf-hub:"))
        colors, mapper = write_model(root / "colors"), root / "mapper.safetensors"
        few = ["--samples", 20, "--num-steps", 1, "--out", mapper]
        assert run_cli("directions", "mapper", "--network", network, "--text-model", colors, *few).code == 0
        yield {"colors": colors, "mapper": mapper}


def test_every_advice_of_the_library_is_followed_here():
    assert set(advice()) == set(ADVICE)


@pytest.fixture
def without_estimates(monkeypatch):
    """Take no time to estimate what a run needs."""
    nothing = Estimate(weights=0, moments=0, step=0, snapshot=0, snapshots=0, drawing=0, drawings=0, grids=0)
    monkeypatch.setattr(plan, "estimate", lambda config, nimg=0: nothing)


@pytest.mark.usefixtures("without_estimates")
@pytest.mark.parametrize("names", ADVICE, ids=" ".join)
def test_what_is_recommended_is_accepted(names, places, text_models, tmp_path):
    for command in ADVICE[names]:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        result = run_cli(*words_of(command.format(**places, **text_models, out=tmp_path / "out")))
        assert result.code == 0, f"{command}\n{result.err}"


@pytest.mark.parametrize("names", ADVICE, ids=" ".join)
def test_flags_of_an_advice_are_among_the_commands_that_follow_it(names):
    followed = " ".join(ADVICE[names])
    for name in names[1:]:
        flag = flags().get(name, f"--set {name}")
        removed = re.search(rf"(leave out|leave) `{name}`", advice()[names])
        assert removed or flag.strip("`").removeprefix("stylegan ") in followed, flag
