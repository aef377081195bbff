"""Every generation trains, resumes bit for bit and draws, through the command line as a user would."""

from __future__ import annotations

import json

import pytest
import torch
from run_cli import run
from safetensors.torch import load_file
from tiny_run import tiny_images

from stylegan.checkpoints import load_checkpoint
from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.training.config import read_config
from stylegan.training.growing import stage
from stylegan.training.state import create_state

CFGS = ["progan", "stylegan1", "stylegan2", "stylegan3-t", "stylegan3-r", "minimal", "r3gan"]
# Small batches of small networks: what is tested is how the parts join. Eight steps, in which growing goes from the
# first resolution to the full one, and with a second discriminator update of R1 where it is lazy.
CHANGES = ["r1_interval=4", "batch=4", "tick_kimg=0.016", "snap_ticks=1"]
GROWING = ["growing.training_kimg=0.004", "growing.transition_kimg=0.008"]

ANNEALING = ["anneal.kimg=0.028", "anneal.lr=0.1", "anneal.beta2=0.5", "anneal.gamma=0.1", "anneal.ema_kimg=0.02"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return tiny_images(tmp_path_factory.mktemp("images"), count=13)


def train(cfg, images, outdir, kimg):
    name = "tiny16" if cfg == "stylegan2" else f"{cfg}-tiny16"
    grows = GROWING if cfg in ("progan", "stylegan1") else []
    changes = [c for c in CHANGES if cfg not in ("progan", "stylegan1") or not c.startswith("r1")]
    anneals = ANNEALING if cfg == "r3gan" else []
    sets = [part for change in (*changes, *grows, *anneals) for part in ("--set", change)]
    run("train", "--cfg", name, "--data", images, "--outdir", outdir, "--device", "cpu", "--kimg", kimg, *sets)
    (folder,) = outdir.iterdir()
    return folder


def assert_learned(folder):
    """Both networks have moved from their initial weights, wherever they are used, and the average lags behind."""
    config, trained = read_config(folder / "config.json"), load_checkpoint(folder)
    initial = create_state(config, torch.device("cpu"))
    start = config.growing.initial_resolution if config.growing else 4
    for name in ("G", "D"):
        before, after = getattr(initial, name), getattr(trained, name)
        optimizer = getattr(initial, f"{name}_opt")
        learning = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for (key, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
            assert new.isfinite().all(), key
            unused = start > 4 and "b4." in key and "rgb" in key  # no image of 4x4 was ever made
            assert torch.equal(old, new) == (unused or id(old) not in learning), key
    G, average = trained.G.parameters(), trained.G_ema.parameters()
    assert not all(torch.equal(a, b) for a, b in zip(G, average, strict=True))


@pytest.mark.parametrize("cfg", CFGS)
def test_it_trains_resumes_bit_for_bit_and_draws(cfg, images, tmp_path):
    whole = train(cfg, images, tmp_path / "whole", 0.032)
    parts = train(cfg, images, tmp_path / "parts", 0.012)  # stops in the middle of a tick
    run("train", "--resume", parts, "--kimg", 0.032)

    for file in sorted(newest_snapshot(whole).glob("*.safetensors")):
        one, other = load_file(file), load_file(newest_snapshot(parts) / file.name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), file.name
    assert read_config(parts / "config.json").architecture == cfg.removesuffix("-t").removesuffix("-r")
    phases = {name for line in (whole / "stats.jsonl").read_text().splitlines() for name in json.loads(line)}
    expected = {"progan": "Loss/gradient_penalty", "stylegan2": "Loss/pl_penalty"}.get(cfg, "Loss/r1_penalty")
    assert {"Loss/G/loss", "Loss/D/loss", expected} <= phases
    assert_learned(whole)

    run("generate", "--network", parts, "--seeds", "0-2", "--trunc", 0.7, "--outdir", tmp_path / "drawn")
    drawn = [(tmp_path / f"drawn/seed{seed:04d}.png").read_bytes() for seed in range(3)]
    assert len(set(drawn)) == 3
    assert run("info", parts).startswith(f"architecture: {cfg.split('-')[0]}\n")


@pytest.mark.parametrize("cfg", ["progan", "stylegan1"])
def test_growing_goes_through_every_stage_and_forgets_moments_with_each(cfg, images, tmp_path, monkeypatch):
    from stylegan.training import loop

    seen = []
    original = loop.train_step

    def step(state, config, batches):
        seen.append((state.lod, float(state.G.lod), float(state.D.lod), len(state.G_opt.state), config.batch))
        original(state, config, batches)

    monkeypatch.setattr(loop, "train_step", step)
    folder = train(cfg, images, tmp_path / "runs", 0.04)
    growing = read_config(folder / "config.json").growing
    assert growing is not None
    expected = [stage(4 * i, 16, growing).lod for i in range(10)]
    assert [lod for lod, *_ in seen] == expected == [lod for _, lod, *_ in seen] == [lod for _, _, lod, *_ in seen]
    levels = [(int(lod), int(-(-lod // 1))) for lod in expected]
    for before, now, (*_, moments, _) in zip(levels, levels[1:], seen[1:], strict=False):
        assert (moments == 0) == (now != before)
    assert expected[0] == (2 if cfg == "progan" else 1)
    assert expected[-1] == 0


def test_fine_tuning_starts_at_full_size_from_networks_that_were_still_growing(images, tmp_path):
    grown = train("stylegan1", images, tmp_path / "grown", 0.008)
    assert 0 < load_file(newest_snapshot(grown) / "generator.safetensors")["synthesis.lod"] <= 1
    run("train", "--resume", grown, "--transfer", "--cfg", "stylegan1-tiny16", "--data", images,
        "--outdir", tmp_path / "tuned", "--device", "cpu", "--kimg", 0.008, "--set", "micro_batch=4")  # fmt: skip
    (tuned,) = (tmp_path / "tuned").iterdir()
    old, new = (load_file(newest_snapshot(folder) / "generator_ema.safetensors") for folder in (grown, tuned))
    assert new["synthesis.lod"] == 0
    assert (new["synthesis.b4.const"] - old["synthesis.b4.const"]).abs().max() < 0.1
