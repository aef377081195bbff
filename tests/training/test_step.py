"""The training step of every generation against `slow_step`, phase by phase."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from slow_step import Batch, SlowTraining
from torch import Tensor
from torch.testing import assert_close

from stylegan.data.dataset import Dataset
from stylegan.training import loop
from stylegan.training.assemble import Images, from_preset
from stylegan.training.batches import Batches, open_training_set
from stylegan.training.config import DataConfig
from stylegan.training.growing import enter_stage
from stylegan.training.phases import train_step
from stylegan.training.state import TrainingState, create_state

STEPS = 17  # R1 comes every 16 steps at most
COUNT, CLASSES = 24, 3

COMMON: dict[str, Any] = {
    "device": "cpu",
    "batch": 8,
    "micro_batch": 4,
    "g_lr": 0.004,
    "d_lr": 0.006,
    "style_mixing_prob": 0.5,
    "generator.z_dim": 8,
    "generator.channel_base": 64,
    "generator.channel_max": 8,
    "discriminator.channel_base": 64,
    "discriminator.channel_max": 8,
}
MAPPED = {**COMMON, "generator.w_dim": 8}
ADA = {"augment.mode": "ada", "augment.ada_kimg": 1.0, "augment.interval": 4}
GROWN = {"growing.batch": {4: 16}, "growing.lr": {8: 0.002}}
GROUPS = {"generator.group_size": 4, "discriminator.group_size": 4}
MINIMAL = {
    **{name: value for name, value in MAPPED.items() if "channel" not in name},
    "generator.n_features": 4,
    "generator.max_features": 8,
    "discriminator.n_features": 4,
    "discriminator.max_features": 8,
}
RELATIVISTIC = {"objective": "relativistic", "r1_interval": 1, "r2_gamma": 2.0}  # R3GAN
APPROXIMATE = {"penalty": "approximate", "penalty_sigma": 0.05}
ONE_STAGE = {"one_stage": True}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "stylegan2": ("tiny16", {**MAPPED, **ADA}),
    "stylegan2, fixed augmentation, half-life of the average": (
        "tiny16",
        {**MAPPED, "augment.mode": "fixed", "augment.p": 0.4, "ema_rampup": None, "ema_kimg": 0.02, "r1_gamma": 20.0},
    ),
    "stylegan2, shared steps": ("tiny16", {**MAPPED, "separate_regularization": False, "r1_interval": 4}),
    "stylegan2, momentum": ("tiny16", {**MAPPED, "adam_betas": (0.5, 0.9), "r1_interval": 4}),
    "stylegan2, relativistic": ("tiny16", {**MAPPED, **ADA, **RELATIVISTIC}),
    "stylegan2, approximate penalties": (
        "tiny16",
        {**MAPPED, "augment.mode": "fixed", "augment.p": 0.4, "r1_interval": 4, "r2_gamma": 2.0, **APPROXIMATE},
    ),
    "stylegan2, one stage": ("tiny16", {**MAPPED, **ADA, **ONE_STAGE, "r1_interval": 4}),
    "stylegan2, one stage, relativistic": ("tiny16", {**MAPPED, **ONE_STAGE, **RELATIVISTIC, "r2_gamma": 0.0}),
    "stylegan3-t, one stage": ("stylegan3-t-tiny16", {**MAPPED, **ADA, **ONE_STAGE}),
    "stylegan1": ("stylegan1-tiny16", {**MAPPED, **GROWN}),
    "stylegan1, relativistic": ("stylegan1-tiny16", {**MAPPED, **GROWN, **RELATIVISTIC, **APPROXIMATE}),
    "progan": ("progan-tiny16", {**COMMON, **GROWN, "style_mixing_prob": 0.0, "ema_beta": 0.9}),
    "progan, R2": ("progan-tiny16", {**COMMON, "style_mixing_prob": 0.0, "growing": None, "r2_gamma": 2.0}),
    "stylegan3-t": ("stylegan3-t-tiny16", {**MAPPED, **ADA}),
    "stylegan3-r": ("stylegan3-r-tiny16", {**MAPPED, **ADA, "r1_interval": 4}),
    "minimal": ("minimal-tiny16", {**MINIMAL, "mapping_lr": 0.001, "pl_start": 3, "pl_interval": 4, "pl_weight": 0.5}),
    "stylegan3-t, relativistic": ("stylegan3-t-tiny16", {**MAPPED, **ADA, **RELATIVISTIC, **APPROXIMATE}),
    "minimal, relativistic": ("minimal-tiny16", {**MINIMAL, "objective": "relativistic", "r2_gamma": 2.0}),
    "r3gan": ("r3gan-tiny16", {**COMMON, **GROUPS, **ADA, "style_mixing_prob": 0.0, "g_lr": 0.0004, "d_lr": 0.0006}),
    "minimal, clipped": ("minimal-tiny16", {**MINIMAL, "clip_norm": 0.01, "mapping_lr": 0.001}),
}


class Taken:
    """Records every step of the two optimizers: which network, its gradients, and its parameters afterwards."""

    def __init__(self, state: TrainingState):
        self.steps: list[tuple[str, dict[str, Tensor], dict[str, Tensor]]] = []
        for label, network, optimizer in (("G", state.G, state.G_opt), ("D", state.D, state.D_opt)):
            held = {id(p) for group in optimizer.param_groups for p in group["params"]}
            named = {name: p for name, p in network.named_parameters() if id(p) in held}

            def before(*_: Any, label: str = label, named: dict[str, Tensor] = named) -> None:
                missing = [name for name, p in named.items() if p.grad is None]
                assert not missing, f"no gradient, not even zero, reaches {missing} of {label}"
                self.steps.append((label, {name: p.grad.clone() for name, p in named.items()}, {}))  # type: ignore

            def after(*_: Any, named: dict[str, Tensor] = named) -> None:
                self.steps[-1][2].update({name: p.detach().clone() for name, p in named.items()})

            optimizer.register_step_pre_hook(before)
            optimizer.register_step_post_hook(after)


def labeled_images(folder: Path) -> tuple[Tensor, Tensor]:
    """Write a data set; returns its images, [N, 3, 16, 16] in [-1, 1], and labels, which every image has written on
    it as its color, so that a wrong label matters."""
    rng = np.random.RandomState(0)
    classes = rng.randint(0, CLASSES, COUNT)
    classes[-1] = CLASSES - 1
    pixels = rng.randint(0, 128, [COUNT, 16, 16, 3]).astype(np.uint8)
    for i, label in enumerate(classes):
        pixels[i, ..., label] += 127
        Image.fromarray(pixels[i]).save(folder / f"{i:03d}.png")
    labels = [[f"{i:03d}.png", int(label)] for i, label in enumerate(classes)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    img = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    return img, torch.eye(CLASSES)[torch.from_numpy(classes)]


def expected_batches(slow: SlowTraining, images: Tensor, labels: Tensor, dataset: Dataset) -> list[Batch]:
    """The next micro-batches: images in the order of the data set, labels of generated ones drawn from all of it."""
    config, (batch, micro_batch) = slow.config, slow.begin()
    if config.data.mirror:
        images, labels = torch.cat([images, images.flip(3)]), labels.repeat(2, 1)
    assert len(dataset) == len(images)
    indices = torch.as_tensor(dataset.stream(config.seed).indices(slow.nimg, batch))
    fake_c = labels[torch.randint(len(images), [batch])]
    parts = (
        slow.seen(images[indices]).split(micro_batch),
        labels[indices].split(micro_batch),
        fake_c.split(micro_batch),
    )
    return [Batch(*part) for part in zip(*parts, strict=True)]


def assert_gradients_close(found: dict[str, Tensor], expected: dict[str, Tensor], where: str) -> None:
    """Up to rounding, which is relative to the largest of the network where a gradient is zero except for rounding."""
    assert found.keys() == expected.keys()
    largest = max(float(g.abs().max()) for g in expected.values())
    for name, g in expected.items():
        bound = 1e-4 * float(g.abs().max()) + 2e-6 * largest
        error = float((found[name] - g).abs().max())
        assert error <= bound, f"{where}, gradient of {name}: {error:.3g} apart, {float(g.abs().max()):.3g} large"


def assert_phases_agree(taken: Taken, slow: SlowTraining, batches: list[Batch], where: str) -> None:
    """Make a slow step on `batches`, and compare every gradient and every parameter after each phase."""
    steps = iter(taken.steps)
    for number, (name, gradients) in enumerate(slow.step(batches)):
        at = f"{where}, phase {number} ({name})"
        network, theirs, weights = next(steps)
        assert network == name, at
        assert_gradients_close(theirs, gradients, at)
        slow.apply(name, theirs)  # Adam makes much of rounding where a gradient is nearly zero
        lr = slow.config.g_lr if name == "G" else slow.config.d_lr
        for key, p in slow.adam[name].parameters.items():
            message = f"{at}, {key}"
            assert_close(weights[key], p.detach(), rtol=2e-7, atol=2e-4 * lr, msg=lambda m, at=message: f"{at}: {m}")
            p.data.copy_(weights[key])  # so that rounding does not add up
    assert next(steps, None) is None, f"{where} has a phase too many"
    taken.steps.clear()


def assert_states_agree(state: TrainingState, slow: SlowTraining, where: str) -> None:
    """Compare networks with their buffers, the averaged generator, running means and counters."""
    assert state.nimg == slow.nimg
    assert_close(state.pl_mean, slow.pl_mean, rtol=1e-5, atol=1e-7)
    signs = torch.cat(slow.signs) if slow.signs else torch.zeros(0)
    assert state.signs.tolist() == [float(signs.sum()), len(signs)], where
    if state.augment is not None:
        assert float(state.augment.p) == pytest.approx(slow.p, abs=1e-6)
    for network in ("G", "D", "G_ema"):
        found, expected = (getattr(run, network).state_dict() for run in (state, slow))
        for key, value in expected.items():
            message = f"{where}, {network}.{key}"
            assert_close(found[key], value, rtol=1e-5, atol=1e-6, msg=lambda m, at=message: f"{at}: {m}")


@pytest.mark.parametrize("case", CASES)
def test_every_phase_is_that_of_the_papers(case, tmp_path):
    cfg, changes = CASES[case]
    conditional = not cfg.startswith("minimal")
    images, labels = labeled_images(tmp_path)
    labels = labels if conditional else labels[:, :0]
    data = DataConfig(path=str(tmp_path), labels=conditional, mirror=cfg == "tiny16")
    config = from_preset(cfg, Images(tmp_path, 16, 3, labels.shape[1]), changes, data=data)
    dataset = open_training_set(data, config.seed)
    state = create_state(config, torch.device("cpu"))
    if state.augment is not None:
        state.augment.p.fill_(0.3)
    slow, taken = SlowTraining(config, state.G, state.D, state.augment), Taken(state)
    for step in range(STEPS):
        where = f"step {step}"
        torch.manual_seed(1000 + step)
        here = enter_stage(state, config)
        batches = Batches(here, dataset, state.world, end=0).next(here, state)
        train_step(state, here, batches)

        torch.manual_seed(1000 + step)
        expected = expected_batches(slow, images, labels, dataset)
        for found, wanted in zip(batches, expected, strict=True):
            assert_close(tuple(found), tuple(wanted), rtol=0, atol=1e-6, msg=lambda m, at=where: f"{at}, images: {m}")
        assert_phases_agree(taken, slow, expected, where)
        assert_states_agree(state, slow, where)


def test_every_step_and_rank_draws_other_random_numbers():
    drawn = set()
    for step in range(3):
        for rank in range(3):
            state = SimpleNamespace(rollbacks=0, step=step, world=SimpleNamespace(rank=rank))
            loop._seed_step(SimpleNamespace(seed=0), state)
            drawn.add(float(torch.randn([])))
    assert len(drawn) == 9
