"""The state of training: everything that its steps change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.augment import AugmentPipe, diff_augment, preset
from stylegan.machine.compile import compile_or_eager
from stylegan.machine.processes import World
from stylegan.machine.surroundings import ordinary_torch
from stylegan.networks.discriminator import FamilyDiscriminator
from stylegan.networks.family import discriminator_class, generator_class
from stylegan.networks.generator import FamilyGenerator
from stylegan.training.config import AugmentConfig, TrainConfig
from stylegan.training.gradient_watch import GradientWatch
from stylegan.training.statistics import Statistics


@dataclass
class TrainingState:
    """Networks, optimizers and counters, all that resuming needs; and what the steps keep for themselves."""

    G: FamilyGenerator
    D: FamilyDiscriminator
    G_ema: FamilyGenerator
    first_order_synthesis: Callable[..., Tensor]  # G.synthesis, compiled if config.compile
    first_order_D: Callable[[Tensor, Tensor], Tensor]  # D likewise
    G_opt: torch.optim.Adam
    D_opt: torch.optim.Adam
    pl_mean: Tensor  # scalar, running mean of the path lengths
    augment: Callable[[Tensor], Tensor] | None  # applied to all images that D sees
    signs: Tensor  # [2], sum and number of sign(D(real)) since the augmentation was adapted
    nimg: int = 0  # real images shown to D
    step: int = 0
    rollbacks: int = 0  # returns to a snapshot because of NaN; each changes the random numbers
    lod: float = 0.0  # level of detail of growing networks: 0 at full resolution, 1 at half of it
    blur_sigma: float = 0.0  # pixels, of the images that D sees in this step
    pl_means: list[Tensor] = field(default_factory=list)  # the next pl_mean according to each micro-batch
    statistics: Statistics = field(default_factory=Statistics)
    gradients: GradientWatch = field(default_factory=GradientWatch)
    world: World = field(default_factory=World)  # the processes that hold equal copies of all this

    @property
    def device(self) -> torch.device:
        return self.pl_mean.device

    @property
    def augment_p(self) -> Tensor | None:
        """The probability of each transformation, a scalar to read or to set; None unless an `AugmentPipe` is used."""
        return self.augment.p if isinstance(self.augment, AugmentPipe) else None

    def running_means(self) -> list[Tensor]:
        """Return the running means, which follow the batches as the weights do."""
        averages = [b for name, b in self.G.named_buffers() if name.endswith(("w_avg", "magnitude_ema"))]
        return [self.pl_mean, self.signs, *averages]


@ordinary_torch(gradients=True)
def create_state(config: TrainConfig, device: torch.device) -> TrainingState:
    """Return networks with weights drawn from the seed, and their optimizers."""
    torch.manual_seed(config.seed)
    G = generator_class(config.architecture)(**config.generator).to(device=device)
    D = discriminator_class(config.architecture, config.discriminator_kind)(**config.discriminator).to(device=device)
    groups, trained = _generator_groups(G, config), _trained(D)
    for network in (G, D):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # unknown to torch's stubs
        network.requires_grad_(False)
    G_ema = copy.deepcopy(G).eval()
    for network in (G, D, G_ema):
        network.precision = config.precision
    return TrainingState(
        G=G,
        D=D,
        G_ema=G_ema,
        # Compiled graphs refuse second derivatives, which path length and the exact R1 and R2 take.
        first_order_synthesis=compile_or_eager(G.synthesis) if config.compile else G.synthesis,
        first_order_D=compile_or_eager(D) if config.compile else D,
        G_opt=_lazy_adam(groups, config.g_lr, config.pl_interval, config),
        D_opt=_lazy_adam([{"params": trained}], config.d_lr, config.r1_interval, config),
        pl_mean=torch.zeros([], device=device),
        augment=_augmentation(config.augment, device),
        signs=torch.zeros(2, device=device),
    )


def _augmentation(config: AugmentConfig, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    if config.mode == "noaug":
        return None
    if config.mode == "diffaugment":
        return partial(diff_augment, cutout=config.cutout)
    pipe = AugmentPipe(**preset(config.pipe))
    pipe.p.fill_(config.p if config.mode == "fixed" else config.start)
    return pipe.to(device)


def _generator_groups(G: FamilyGenerator, config: TrainConfig) -> list[dict[str, Any]]:
    if config.transfer.freeze_mapping:
        return [{"params": _trained(G.synthesis)}]
    if config.mapping_lr is not None:
        return [{"params": _trained(G.synthesis)}, {"params": _trained(G.mapping), "lr": config.mapping_lr}]
    return [{"params": _trained(G)}]


def _trained(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that are trained; those of minimal networks include a fixed blur."""
    return [p for p in network.parameters() if p.requires_grad]


def lazy_ratio(interval: int, config: TrainConfig) -> float:
    """Return k / (k + 1) for a regularizer with a step of its own every k = `interval` steps, 1 for one without."""
    extra = config.separate_regularization and interval > 1
    return interval / (interval + 1) if extra else 1.0


def _lazy_adam(groups: list[dict[str, Any]], lr: float, interval: int, config: TrainConfig) -> torch.optim.Adam:
    """Return Adam for weights whose regularizer takes a step of its own every `interval` steps. StyleGAN2 App. B.

    With its extra steps it would learn and forget (k + 1) / k times as fast; lr and betas correct that.
    """
    ratio = lazy_ratio(interval, config)
    beta1, beta2 = (beta**ratio for beta in config.adam_betas)
    for group in groups:
        group["lr_scale"] = (
            group.get("lr", lr) / lr * ratio
        )  # factor on the learning rates that growing and schedules set
        group["lr"] = lr * group["lr_scale"]
    return torch.optim.Adam(groups, betas=(beta1, beta2), eps=config.adam_eps, fused=True)
