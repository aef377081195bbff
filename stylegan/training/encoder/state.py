"""The state of the training of an encoder, and its snapshots."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from stylegan.checkpoints.layout import COUNTERS, TENSORS
from stylegan.checkpoints.native import Contents
from stylegan.errors import CheckpointError, ConfigError
from stylegan.inversion.encoder import Encoder, EncoderSettings
from stylegan.inversion.encoder_file import WEIGHTS, contents
from stylegan.inversion.tasks import Task
from stylegan.inversion.w_statistics import WStatistics
from stylegan.machine.environment import environment, warn_if_changed
from stylegan.networks.generator import FamilyGenerator
from stylegan.training.adam import moments, restore_moments
from stylegan.training.encoder.batches import own_ws
from stylegan.training.encoder.config import EncoderConfig
from stylegan.training.seeding import seed_torch
from stylegan.training.snapshot import copies
from stylegan.training.statistics import Statistics

W_SAMPLES = 10_000  # that give the mean and the spread of w
AT_ONCE = 32  # images that are drawn together for the first latent
_WEIGHTS, _EXAMPLES = 1, 2  # keys of the random numbers before the first step


@dataclass
class EncoderState:
    """The encoder, its optimizer and the counters: all that resuming needs."""

    encoder: Encoder
    optimizer: torch.optim.Adam
    w: WStatistics
    nimg: int = 0
    step: int = 0
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def device(self) -> torch.device:
        return self.encoder.center.device


@torch.no_grad()
def create_state(G: FamilyGenerator, task: Task, config: EncoderConfig, device: torch.device) -> EncoderState:
    """Return the state before training. Seeds torch's global generator."""
    seed_torch(config.seed, _WEIGHTS)
    settings = EncoderSettings.of(G, task, space=config.space, passes=config.passes)
    encoder = Encoder(settings).to(device)
    plain = config.model_copy(update={"mixing_prob": 0.0})
    statistics = WStatistics.of(own_ws(G, plain, W_SAMPLES)[:, 0], whiten=False)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=config.lr, betas=config.adam_betas)
    return EncoderState(encoder, optimizer, statistics)


@torch.no_grad()
def fit_start(state: EncoderState, G: FamilyGenerator, config: EncoderConfig) -> None:
    """Estimate the first latent from images of the network. Seeds torch's global generator.

    Inputs that are files cannot be made from them; then the mean of w is the first latent.
    """
    seed_torch(config.seed, _EXAMPLES)
    settings = state.encoder.settings
    task, side = settings.task, settings.img_resolution
    plain = config.model_copy(update={"mixing_prob": 0.0})
    ws = own_ws(G, plain, 0 if task.paired else config.examples)
    inputs = [task.of_images(G.synthesis(part, noise_mode="const")) for part in ws.split(AT_ONCE) if len(part)]
    none = torch.zeros(0, task.channels(settings.img_channels), side, side, device=state.device)
    state.encoder.fit_start(torch.cat([none, *inputs]), ws[:, 0], state.w)


def capture(state: EncoderState, config: EncoderConfig, data: dict[str, Any]) -> Contents:
    """Copy everything that training changes into memory; `data` identifies the data set."""
    files = contents(state.encoder, nimg=state.nimg, network=config.network)
    counters = {"nimg": state.nimg, "step": state.step, **data, "environment": environment(state.device, 1)}
    return Contents(
        {**files.texts, COUNTERS: json.dumps(counters) + "\n"},
        {name: copies(group) for name, group in {**files.tensors, TENSORS: moments(state.optimizer)}.items()},
    )


def load_state(state: EncoderState, folder: Path) -> dict[str, Any]:
    """Set a state of the same settings to that of a snapshot; return the identity of its data set.

    Raises: CheckpointError if a file is missing or damaged; ConfigError if the snapshot is of another network.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        found, expected = config["network_hash"], state.encoder.settings.network_hash
        if found != expected:
            raise ConfigError(
                f"the run trains an encoder for the network {found}, and finds {expected} in its place; put that "
                "network back, or start a new run."
            )
        state.encoder.load_state_dict(load_file(folder / WEIGHTS))
        restore_moments(state.optimizer, load_file(folder / TENSORS))
        counters = json.loads((folder / COUNTERS).read_text(encoding="utf-8"))
        state.nimg, state.step = counters.pop("nimg"), counters.pop("step")
    except ConfigError:
        raise
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        lines = str(error).splitlines()
        reason = (lines[1:] or lines or [type(error).__name__])[0].strip()
        raise CheckpointError(
            f"snapshot {folder} cannot be resumed ({reason}); remove that folder to resume from an older one."
        ) from error
    warn_if_changed(counters.pop("environment", {}), environment(state.device, 1))
    return counters
