"""One training step: generator, path length, discriminator, R1. StyleGAN2 App. B.

Main losses act in every step, regularisers every few steps and as many times stronger (lazy regularisation).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stylegan.augment import AdaptiveStrength
from stylegan.losses.logistic import discriminator_loss_fake, discriminator_loss_real, generator_loss
from stylegan.losses.path_length import path_length_penalty, path_lengths
from stylegan.losses.r1 import r1_penalty
from stylegan.training.config import TrainConfig
from stylegan.training.ema import ema_beta, update_ema
from stylegan.training.state import TrainingState


class MicroBatch(NamedTuple):
    """What one device computes at once."""

    real_img: Tensor  # [n, C, H, W] float in [-1, 1]
    real_c: Tensor  # [n, label_dim]
    fake_c: Tensor  # [n, label_dim], labels for generated pictures


class Phase(NamedTuple):
    """One objective of one network: back-propagated every `interval` steps."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    interval: int
    loss: Callable[[TrainingState, TrainConfig, MicroBatch], None]

    def require_gradients(self, on: bool) -> None:
        """Of what the optimiser holds; frozen layers are not among it, and cost no backward pass."""
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(on)


def train_step(state: TrainingState, config: TrainConfig, micro_batches: list[MicroBatch]) -> None:
    """Show one batch of real pictures to the discriminator and update everything once.

    All randomness comes from torch's generator, which the caller seeds.
    """
    for phase in _phases(state, config):
        if state.step % phase.interval == 0:
            phase.require_gradients(True)
            for batch in micro_batches:
                phase.loss(state, config, batch)
            phase.require_gradients(False)
            _apply_gradients(state, phase, len(micro_batches))
    update_ema(state.G_ema, state.G, ema_beta(config.batch, state.nimg, config.ema_kimg, config.ema_rampup))
    state.nimg += config.batch
    state.step += 1
    if config.augment.mode == "ada" and state.step % config.augment.interval == 0:
        adapt_augmentation(state, config)
    if state.augment is not None:
        state.statistics.add("Augment/p", state.augment.p)


def _phases(state: TrainingState, config: TrainConfig) -> list[Phase]:
    phases = [Phase(state.G, state.G_opt, 1, generator_main)]
    if config.pl_weight > 0:
        phases.append(Phase(state.G, state.G_opt, config.pl_interval, generator_path_length))
    phases.append(Phase(state.D, state.D_opt, 1, discriminator_main))
    if config.r1_gamma > 0:
        phases.append(Phase(state.D, state.D_opt, config.r1_interval, discriminator_r1))
    return phases


def generator_main(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Maximise the logits of generated pictures."""
    img = state.first_order_synthesis(sample_ws(state, config, batch.fake_c))
    logits = discriminate(state.first_order_D, state.augment, img, batch.fake_c)
    loss = generator_loss(logits)
    state.statistics.add("Loss/scores/fake", logits)
    state.statistics.add("Loss/signs/fake", logits.sign())
    state.statistics.add("Loss/G/loss", loss)
    loss.mean().backward()


def generator_path_length(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Keep the length of steps in image space near their running mean."""
    n = max(len(batch.fake_c) // config.pl_batch_shrink, 1)
    ws = sample_ws(state, config, batch.fake_c[:n]).requires_grad_(True)  # also where the mapping is frozen
    img = state.G.synthesis(ws)
    lengths = path_lengths(img, ws, torch.randn_like(img))
    penalty, mean = path_length_penalty(lengths, state.pl_mean, config.pl_decay)
    state.pl_means.append(mean.where(mean.isfinite(), state.pl_mean))  # it would keep a NaN for good
    state.statistics.add("Loss/pl_penalty", penalty)
    state.statistics.add("Loss/pl_length", lengths)
    (penalty.mean() * config.pl_weight * config.pl_interval).backward()


def discriminator_main(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Lower the logits of generated pictures and raise those of real ones."""
    with torch.no_grad():
        ws = sample_ws(state, config, batch.fake_c, update_emas=not config.transfer.freeze_mapping)
        img = state.first_order_synthesis(ws)
    fake_logits = discriminate(state.first_order_D, state.augment, img, batch.fake_c)
    fake_loss = discriminator_loss_fake(fake_logits)
    fake_loss.mean().backward()
    real_logits = discriminate(state.first_order_D, state.augment, batch.real_img, batch.real_c)
    real_loss = discriminator_loss_real(real_logits)
    real_loss.mean().backward()
    state.statistics.add("Loss/scores/fake", fake_logits)
    state.statistics.add("Loss/signs/fake", fake_logits.sign())
    _report_real(state, real_logits)
    state.statistics.add("Loss/D/loss", fake_loss + real_loss)


def discriminator_r1(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Penalise the slope of the discriminator at real pictures, as they were before augmentation."""
    real_img = batch.real_img.detach().requires_grad_(True)
    real_logits = discriminate(state.D, state.augment, real_img, batch.real_c)
    penalty = r1_penalty(real_img, real_logits)
    _report_real(state, real_logits)
    state.statistics.add("Loss/r1_penalty", penalty)
    (penalty.mean() * (config.r1_gamma / 2) * config.r1_interval).backward()


def discriminate(D: Callable, augment: nn.Module | None, img: Tensor, c: Tensor) -> Tensor:
    """D's logits of augmented pictures, [n, 1]: real and generated ones alike. StyleGAN2-ADA Fig. 2(b)."""
    return D(augment(img) if augment is not None else img, c)


def adapt_augmentation(state: TrainingState, config: TrainConfig) -> None:
    """Move the strength of augmentation towards the target, from what D said of real pictures."""
    a = config.augment
    assert state.augment is not None
    strength = AdaptiveStrength(target=a.target, ada_kimg=a.ada_kimg, interval=a.interval, max_p=a.max_p)
    total, number = state.signs.tolist()
    state.augment.p.fill_(strength.update(float(state.augment.p), total / number, config.batch))
    state.signs.zero_()


def _report_real(state: TrainingState, logits: Tensor) -> None:
    signs = logits.detach().sign()
    state.signs += torch.stack([signs.nansum(), signs.new_full([], signs.numel())])
    state.statistics.add("Loss/scores/real", logits)
    state.statistics.add("Loss/signs/real", signs)


def sample_ws(state: TrainingState, config: TrainConfig, c: Tensor, *, update_emas: bool = False) -> Tensor:
    """Fresh latents through the mapping network, [n, num_ws, w_dim], with style mixing. StyleGAN Sec. 3.1.

    With `style_mixing_prob`, the layers from a random one on take their w from a second z.
    """
    G, n, device = state.G, len(c), state.device
    ws = G.mapping(torch.randn([n, G.z_dim], device=device), c, update_emas=update_emas)
    if torch.rand([]) < config.style_mixing_prob:
        cutoff = int(torch.randint(1, G.num_ws, []))
        mixed = G.mapping(torch.randn([n, G.z_dim], device=device), c)
        ws = torch.cat([ws[:, :cutoff], mixed[:, cutoff:]], 1)
    return ws


def _apply_gradients(state: TrainingState, phase: Phase, num_micro_batches: int) -> None:
    """Average over micro-batches and processes, replace what is not finite and count it, step."""
    label = "G" if phase.network is state.G else "D"
    named = [(f"{label}.{name}", p.grad) for name, p in phase.network.named_parameters() if p.grad is not None]
    grads = [grad for _, grad in named]
    if num_micro_batches > 1:
        torch._foreach_div_(grads, num_micro_batches)
    if state.pl_means:  # each began with the old one, so that a step is the same however its batch is split
        state.pl_mean = torch.stack(state.pl_means).mean()
        state.pl_means.clear()
    state.world.average_([*grads, *state.running_means()])
    bad = state.gradients.clean(phase.loss.__name__, named, state.step)
    state.statistics.add("Health/nonfinite_gradients", bad)
    phase.optimizer.step()
    phase.optimizer.zero_grad(set_to_none=True)
