"""One training step: generator, path length, discriminator, R1 and R2. StyleGAN2 App. B.

Main losses act in every step. Regularizers act every few steps and are as many times stronger (lazy regularization),
in an optimizer step of their own or, if the settings say so, in that of the main loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stylegan.augment import adapted
from stylegan.augment.blur import blur, blur_sigma
from stylegan.losses import hinge, logistic, relativistic, wasserstein_gp
from stylegan.losses.path_length import corrected_mean_penalty, path_length_penalty, path_lengths
from stylegan.losses.r1 import approximate_r1_penalty, r1_penalty
from stylegan.machine.surroundings import ordinary_torch
from stylegan.networks import progan
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.training.config import TrainConfig
from stylegan.training.ema import ema_beta, update_ema
from stylegan.training.state import TrainingState

# Those that score each image by itself; the relativistic objective compares pairs, in losses of its own.
OBJECTIVES: dict[str, Any] = {"logistic": logistic, "wasserstein_gp": wasserstein_gp, "hinge": hinge}


class MicroBatch(NamedTuple):
    """The images and labels that one device computes at once."""

    real_img: Tensor  # [n, C, H, W] float in [-1, 1]
    real_c: Tensor  # [n, label_dim]
    fake_c: Tensor  # [n, label_dim], labels for generated images


Loss = Callable[[TrainingState, TrainConfig, MicroBatch], None]


class Player(NamedTuple):
    """A network and its optimizer."""

    label: str  # G or D
    network: nn.Module
    optimizer: torch.optim.Optimizer

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The trained parameters."""
        return _held(self.optimizer)


def _held(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """Return the parameters of an optimizer, which does not hold frozen layers; those cost no backward pass."""
    return [p for group in optimizer.param_groups for p in group["params"]]


class Phase(NamedTuple):
    """One optimizer step of one network, or of both at once, and the losses that are back-propagated before it."""

    players: tuple[Player, ...]
    losses: tuple[Loss, ...]
    interval: int = 1  # training steps from one to the next

    @property
    def name(self) -> str:
        return "+".join(loss.__name__ for loss in self.losses)

    def accumulate(self, state: TrainingState, config: TrainConfig, micro_batches: list[MicroBatch]) -> None:
        """Add up the gradients of all losses over all micro-batches.

        Parameters that no loss reaches, such as the biases of toRGB under path length, get a zero gradient, so that
        their moments decay in this step like all others.
        """
        parameters = [p for player in self.players for p in player.parameters]
        for parameter in parameters:
            parameter.requires_grad_(True)
        for batch in micro_batches:
            for loss in self.losses:
                loss(state, config, batch)
        for parameter in parameters:
            parameter.requires_grad_(False)
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)


@ordinary_torch(gradients=True)
def train_step(state: TrainingState, config: TrainConfig, micro_batches: list[MicroBatch]) -> None:
    """Show one batch of real images to the discriminator and update everything once.

    All randomness comes from torch's generator, which the caller seeds.
    """
    state.blur_sigma = blur_sigma(state.nimg, config.blur.init_sigma, config.blur.fade_kimg)
    for phase in due_phases(state, config):
        phase.accumulate(state, config, micro_batches)
        apply_gradients(state, config, phase, len(micro_batches))
    beta = config.ema_beta
    if beta is None:
        beta = ema_beta(config.batch, state.nimg, config.ema_kimg, config.ema_rampup)
    update_ema(state.G_ema, state.G, beta)
    state.nimg += config.batch
    state.step += 1
    if config.augment.mode == "ada" and state.step % config.augment.interval == 0:
        adapt_augmentation(state, config)
    if state.augment_p is not None:
        state.statistics.add("Augment/p", state.augment_p)


def due_phases(state: TrainingState, config: TrainConfig) -> list[Phase]:
    """Return the optimizer steps of this training step, in order."""

    def due(loss: Loss, weight: float, interval: int, start: int = 0) -> list[Loss]:
        return [loss] if weight > 0 and state.step >= start and state.step % interval == 0 else []

    path_length = due(generator_path_length, config.pl_weight, config.pl_interval, config.pl_start)
    slopes = due(discriminator_r1, config.r1_gamma, config.r1_interval)
    slopes += due(discriminator_r2, config.r2_gamma, config.r1_interval)
    G, D = Player("G", state.G, state.G_opt), Player("D", state.D, state.D_opt)
    regularizers = ((G, path_length, config.pl_interval), (D, slopes, config.r1_interval))
    phases = []
    for players, losses in _main_losses(state, config, G, D):
        own_steps = []
        for player, regularizer, interval in regularizers:
            if player not in players or not regularizer:
                continue
            if config.separate_regularization and interval > 1:
                own_steps.append(Phase((player,), tuple(regularizer), interval))
            else:
                losses = [*losses, *regularizer]
        phases += [Phase(players, tuple(losses)), *own_steps]
    return phases


def _main_losses(
    state: TrainingState, config: TrainConfig, G: Player, D: Player
) -> list[tuple[tuple[Player, ...], list[Loss]]]:
    """Return the losses that act in every step, with those that they train."""
    G_losses: list[Loss]
    D_losses: list[Loss]
    if config.objective == "relativistic":
        G_losses, D_losses = [generator_relativistic], [discriminator_relativistic]
    else:
        G_losses, D_losses = [generator_main], [discriminator_main]
    labels = isinstance(state.D, progan.Discriminator) and state.D.c_dim > 0
    G_others = [generator_labels] if labels else []
    D_others = [discriminator_gradient_penalty] if config.objective == "wasserstein_gp" else []
    D_others += [discriminator_labels] if labels else []
    if config.one_stage:
        return [((G, D), [one_stage, *G_others, *D_others])]
    return [((G,), [*G_losses, *G_others]), ((D,), [*D_losses, *D_others])]


def generator_main(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Maximize the logits of generated images."""
    img = state.first_order_synthesis(sample_ws(state, config, batch.fake_c))
    logits = discriminate(state, state.first_order_D, img, batch.fake_c)
    loss = OBJECTIVES[config.objective].generator_loss(logits)
    _report_fake(state, logits)
    state.statistics.add("Loss/G/loss", loss)
    loss.mean().backward()


def generator_relativistic(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Raise the logits of generated images above those of the real images of this step.

    Generated images take the labels of their real partners, so that only images of equal labels are compared. R3GAN
    draws other real images for the generator; here, both networks see those of the step. The generator comes first, so
    that the discriminator has not learned from them yet.
    """
    img = state.first_order_synthesis(sample_ws(state, config, batch.real_c))
    fake_logits = discriminate(state, state.first_order_D, img, batch.real_c)
    with torch.no_grad():
        real_logits = discriminate(state, state.first_order_D, batch.real_img, batch.real_c)
    loss = relativistic.generator_loss(fake_logits, real_logits)
    _report_fake(state, fake_logits)
    state.statistics.add("Loss/G/loss", loss)
    loss.mean().backward()


def one_stage(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Accumulate the main gradients of both networks from one pass forward through each.

    The graph of the generated images' logits is followed backward twice: for the discriminator's loss to its weights,
    and for the generator's loss to the weights of the generator. Both networks learn from the same generated images; in
    two stages, the discriminator sees others, of the updated generator. After Shen et al. 2021, who also share the
    backward pass, which is exact only for a discriminator that compares no images with each other.
    """
    relative = config.objective == "relativistic"
    c = batch.real_c if relative else batch.fake_c
    img = _followed_fakes(state, config, c)
    fake_logits = discriminate(state, state.D, img, c)  # compiled graphs cannot be followed to a part of their inputs
    real_logits = discriminate(state, state.first_order_D, batch.real_img, batch.real_c)
    if relative:
        D_loss = relativistic.discriminator_loss(fake_logits, real_logits)
        G_loss = relativistic.generator_loss(fake_logits, real_logits.detach())
    else:
        objective = OBJECTIVES[config.objective]
        D_loss = objective.discriminator_loss_fake(fake_logits) + objective.discriminator_loss_real(real_logits)
        G_loss = objective.generator_loss(fake_logits)
    D_loss.mean().backward(inputs=_held(state.D_opt), retain_graph=True)
    G_loss.mean().backward(inputs=_held(state.G_opt))
    _report_fake(state, fake_logits)
    _report_real(state, real_logits)
    state.statistics.add("Loss/G/loss", G_loss)
    state.statistics.add("Loss/D/loss", D_loss)


def generator_path_length(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Keep the length of steps in image space near their running mean."""
    n = max(len(batch.fake_c) // config.pl_batch_shrink, 1)
    ws = sample_ws(state, config, batch.fake_c[:n]).requires_grad_(True)  # also where the mapping is frozen
    img = state.G.synthesis(ws)
    lengths = path_lengths(img, ws, torch.randn_like(img))
    if config.path_length == "previous_mean":
        # Multiples of the interval from pl_start on, which need not be one itself
        updates = state.step // config.pl_interval - math.ceil(config.pl_start / config.pl_interval)
        penalty, mean = corrected_mean_penalty(lengths, state.pl_mean, config.pl_decay, updates)
    else:
        penalty, mean = path_length_penalty(lengths, state.pl_mean, config.pl_decay)
    state.pl_means.append(mean.where(mean.isfinite(), state.pl_mean))  # a NaN would stay for good
    state.statistics.add("Loss/pl_penalty", penalty)
    state.statistics.add("Loss/pl_length", lengths)
    (penalty.mean() * config.pl_weight * config.pl_interval).backward()


def discriminator_main(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Lower the logits of generated images and raise those of real ones."""
    with torch.no_grad():
        img = _followed_fakes(state, config, batch.fake_c)
    objective = OBJECTIVES[config.objective]
    fake_logits = discriminate(state, state.first_order_D, img, batch.fake_c)
    fake_loss = objective.discriminator_loss_fake(fake_logits)
    fake_loss.mean().backward()
    real_logits = discriminate(state, state.first_order_D, batch.real_img, batch.real_c)
    real_loss = objective.discriminator_loss_real(real_logits)
    real_loss.mean().backward()
    _report_fake(state, fake_logits)
    _report_real(state, real_logits)
    state.statistics.add("Loss/D/loss", fake_loss + real_loss)


def discriminator_relativistic(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Raise the logits of real images above those of generated images of the same labels."""
    with torch.no_grad():
        img = _followed_fakes(state, config, batch.real_c)
    fake_logits = discriminate(state, state.first_order_D, img, batch.real_c)
    real_logits = discriminate(state, state.first_order_D, batch.real_img, batch.real_c)
    loss = relativistic.discriminator_loss(fake_logits, real_logits)
    loss.mean().backward()
    _report_fake(state, fake_logits)
    _report_real(state, real_logits)
    state.statistics.add("Loss/D/loss", loss)


def discriminator_r1(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Penalize the slope of the discriminator at real images, as they were before augmentation."""
    penalty, real_logits = slope_penalty(state, config, batch.real_img, batch.real_c)
    _report_real(state, real_logits)
    state.statistics.add("Loss/r1_penalty", penalty)
    (penalty.mean() * (config.r1_gamma / 2) * config.r1_interval).backward()


def discriminator_r2(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Penalize the slope of the discriminator at generated images, as they were before augmentation."""
    with torch.no_grad():
        fake_img = state.first_order_synthesis(sample_ws(state, config, batch.fake_c))
    penalty, _ = slope_penalty(state, config, fake_img, batch.fake_c)
    state.statistics.add("Loss/r2_penalty", penalty)
    (penalty.mean() * (config.r2_gamma / 2) * config.r1_interval).backward()


def slope_penalty(state: TrainingState, config: TrainConfig, img: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared slope of the discriminator at each image, exact or approximate, [n], and its logits [n, L]."""
    if config.penalty == "exact":
        img = img.detach().requires_grad_(True)
        logits = discriminate(state, state.D, img, c)
        return r1_penalty(img, logits), logits
    noise = torch.randn_like(img)
    seed = int(torch.randint(2**62, []))
    with _in_float32(state.D):
        torch.manual_seed(seed)
        logits = discriminate(state, state.first_order_D, img, c)
        torch.manual_seed(seed)  # so that both are augmented in the same way
        disturbed = discriminate(state, state.first_order_D, img + config.penalty_sigma * noise, c)
    return approximate_r1_penalty(logits, disturbed, config.penalty_sigma), logits


@contextmanager
def _in_float32(network: FamilyDiscriminator) -> Iterator[None]:
    """Let `network` compute in float32: in less, rounding hides the difference that a small disturbance makes."""
    precision, network.precision = network.precision, "fp32"
    try:
        yield
    finally:
        network.precision = precision


def discriminator_gradient_penalty(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Keep the slope of the critic at 1 at random points between real and generated images."""
    with torch.no_grad():
        fake_img = state.first_order_synthesis(sample_ws(state, config, batch.fake_c))
        share = torch.rand([len(fake_img), 1, 1, 1], device=state.device)
    img = torch.lerp(batch.real_img, fake_img, share).requires_grad_(True)
    penalty = wasserstein_gp.gradient_penalty(img, discriminate(state, state.D, img, batch.fake_c))
    state.statistics.add("Loss/gradient_penalty", penalty)
    (penalty.mean() * config.gp_weight).backward()


def generator_labels(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Make the discriminator read the label from generated images. ProGAN App. A."""
    img = state.first_order_synthesis(sample_ws(state, config, batch.fake_c))
    _label_loss(state, img, batch.fake_c).mean().backward(inputs=_held(state.G_opt))


def discriminator_labels(state: TrainingState, config: TrainConfig, batch: MicroBatch) -> None:
    """Read the labels of real and of generated images."""
    with torch.no_grad():
        img = state.first_order_synthesis(sample_ws(state, config, batch.fake_c))
    loss = _label_loss(state, batch.real_img, batch.real_c) + _label_loss(state, img, batch.fake_c)
    state.statistics.add("Loss/D/labels", loss)
    loss.mean().backward()


def discriminate(state: TrainingState, D: Callable[..., Tensor], img: Tensor, c: Tensor) -> Tensor:
    """Return the logits [n, L] of blurred and augmented images, real or generated. StyleGAN2-ADA Fig. 2(b)."""
    return D(_as_seen(state, img), c)


def _label_loss(state: TrainingState, img: Tensor, c: Tensor) -> Tensor:
    assert isinstance(state.D, progan.Discriminator)  # the only one that reads labels
    _, label_logits = state.D.score_and_labels(_as_seen(state, img))
    return wasserstein_gp.label_loss(label_logits, c)


def _as_seen(state: TrainingState, img: Tensor) -> Tensor:
    img = blur(img, state.blur_sigma)
    return state.augment(img) if state.augment is not None else img


def adapt_augmentation(state: TrainingState, config: TrainConfig) -> None:
    """Move p so that the mean sign of D's logits of real images approaches the target."""
    a = config.augment
    assert state.augment_p is not None
    total, number = state.signs.tolist()
    step = config.batch * a.interval / (a.ada_kimg * 1000)
    state.augment_p.fill_(adapted(float(state.augment_p), total / number, a.target, step, a.max_p))
    state.signs.zero_()


def _followed_fakes(state: TrainingState, config: TrainConfig, c: Tensor) -> Tensor:
    """Return generated images; the running means of the generator follow them."""
    ws = sample_ws(state, config, c, update_emas=not config.transfer.freeze_mapping)
    follow = {"update_emas": True} if config.architecture == "stylegan3" else {}  # the magnitudes of its layers
    return state.first_order_synthesis(ws, **follow)


def _report_fake(state: TrainingState, logits: Tensor) -> None:
    state.statistics.add("Loss/scores/fake", logits)
    state.statistics.add("Loss/signs/fake", logits.sign())


def _report_real(state: TrainingState, logits: Tensor) -> None:
    signs = logits.detach().sign()
    state.signs += torch.stack([signs.nansum(), signs.new_full([], signs.numel())])
    state.statistics.add("Loss/scores/real", logits)
    state.statistics.add("Loss/signs/real", signs)


def sample_ws(state: TrainingState, config: TrainConfig, c: Tensor, *, update_emas: bool = False) -> Tensor:
    """Map random latents to ws [n, num_ws, w_dim], with style mixing. StyleGAN Sec. 3.1.

    With probability `style_mixing_prob`, the layers from a random one on take their w from a second z.
    """
    G, n, device = state.G, len(c), state.device
    ws = G.mapping(torch.randn([n, G.z_dim], device=device), c, update_emas=update_emas)
    if torch.rand([]) < config.style_mixing_prob:
        cutoff = int(torch.randint(1, G.num_ws - 2 * int(state.lod), []))  # among the layers that have grown
        mixed = G.mapping(torch.randn([n, G.z_dim], device=device), c)
        ws = torch.cat([ws[:, :cutoff], mixed[:, cutoff:]], 1)
    return ws


def apply_gradients(state: TrainingState, config: TrainConfig, phase: Phase, num_micro_batches: int) -> None:
    """Average the gradients over micro-batches and processes, replace and count non-finite values, and step."""
    named = [
        (f"{player.label}.{name}", p.grad)
        for player in phase.players
        for name, p in player.network.named_parameters()
        if p.grad is not None
    ]
    grads = [grad for _, grad in named]
    if num_micro_batches > 1:
        torch._foreach_div_(grads, num_micro_batches)
    if state.pl_means:  # each started from the old mean, so that a step does not depend on how its batch is split
        state.pl_mean = torch.stack(state.pl_means).mean()
        state.pl_means.clear()
    state.world.average_([*grads, *state.running_means()])
    bad = state.gradients.clean(phase.name, named, state.step)
    state.statistics.add("Health/nonfinite_gradients", bad)
    for player in phase.players:
        if config.clip_norm is not None:
            for group in player.optimizer.param_groups:
                nn.utils.clip_grad_norm_(group["params"], config.clip_norm)
        player.optimizer.step()
        player.optimizer.zero_grad(set_to_none=True)
