"""A training step written from the equations of the papers, with plain autograd and Adam written out.

The tests compare the step of the library with it. From the library it takes the networks, the transformations of the
augmentation and the numbers of a configuration, nothing else. It draws from torch's generator in the order of the
library, so the same seed gives the same latents, mixing and noise.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.training.config import TrainConfig


class Batch(NamedTuple):
    """The images of one micro-batch, their labels, and the labels of generated images."""

    real_img: Tensor
    real_c: Tensor
    fake_c: Tensor


class Adam:
    """Kingma and Ba 2015, Algorithm 1, with the lazy correction of StyleGAN2 App. B."""

    def __init__(self, parameters: dict[str, Tensor], lrs: dict[str, float], config: TrainConfig, interval: int):
        self.parameters, self.eps = parameters, config.adam_eps
        self.ratio = interval / (interval + 1) if config.separate_regularization and interval > 1 else 1
        self.beta1, self.beta2 = (beta**self.ratio for beta in config.adam_betas)
        self.lrs = lrs
        self.reset()

    def reset(self) -> None:
        self.t = 0
        self.m = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in self.parameters.items()}
        self.v = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in self.parameters.items()}

    def step(self, gradients: dict[str, Tensor], factor: float = 1) -> None:
        """Move every parameter, in double precision; `factor` multiplies all learning rates."""
        self.t += 1
        for name, p in self.parameters.items():
            g = gradients[name].double()
            self.m[name] = self.beta1 * self.m[name] + (1 - self.beta1) * g
            self.v[name] = self.beta2 * self.v[name] + (1 - self.beta2) * g**2
            m = self.m[name] / (1 - self.beta1**self.t)
            v = self.v[name] / (1 - self.beta2**self.t)
            p.data.copy_(p.double() - self.lrs[name] * factor * self.ratio * m / (v.sqrt() + self.eps))


class SlowTraining:
    """Networks, moments and running means of a run."""

    def __init__(self, config: TrainConfig, G: Any, D: Any, augment: Any):
        self.config = config
        self.G, self.D = copy.deepcopy(G), copy.deepcopy(D)
        self.G_ema = copy.deepcopy(G)
        self.augment = copy.deepcopy(augment)
        self.p = float(augment.p) if augment is not None else 0.0
        G_parameters, D_parameters = (
            # The minimal networks count their fixed blur among the parameters.
            {name: p for name, p in network.named_parameters() if "smooth" not in name}
            for network in (self.G, self.D)
        )
        mapping = {name for name in G_parameters if name.startswith("mapping") and config.mapping_lr is not None}
        self.clipped = {"G": [set(G_parameters) - mapping, mapping], "D": [set(D_parameters)]}  # each as a whole
        G_lrs = {name: config.mapping_lr if name in mapping else config.g_lr for name in G_parameters}
        self.adam = {
            "G": Adam(G_parameters, G_lrs, config, config.pl_interval),
            "D": Adam(D_parameters, dict.fromkeys(D_parameters, config.d_lr), config, config.r1_interval),
        }
        self.nimg = self.iteration = 0
        self.lod: float | None = None
        self.pl_mean, self.pl_updates = torch.zeros([]), 0
        self.signs: list[Tensor] = []

    # The schedule of growing, ProGAN App. A

    def begin(self) -> tuple[int, int]:
        """Set the level of detail, and return the batch and the micro-batch of this step."""
        c = self.config
        if c.growing is None:
            return c.batch, c.micro_batch
        self.full = c.generator["img_resolution"]
        kimg = self.nimg / 1000
        length = c.growing.training_kimg + c.growing.transition_kimg
        phase = math.floor(kimg / length)
        fading = max(kimg - phase * length - c.growing.training_kimg, 0) / c.growing.transition_kimg
        lod = max(math.log2(self.full) - math.log2(c.growing.initial_resolution) - phase - fading, 0)
        if self.lod is None or math.floor(lod) != math.floor(self.lod) or math.ceil(lod) != math.ceil(self.lod):
            self.adam["G"].reset()
            self.adam["D"].reset()
        self.lod = lod
        for network in (self.G, self.D):
            network.lod.fill_(lod)
        self.resolution = self.full // 2 ** math.floor(lod)
        batch = c.growing.batch.get(self.resolution, c.batch)
        return batch, math.gcd(batch, c.micro_batch * 4 ** math.floor(lod))

    def seen(self, img: Tensor) -> Tensor:
        """Real images at the level of detail, in full size. ProGAN Fig. 2."""
        if self.lod is None:
            return img
        img = F.interpolate(img, size=self.resolution, mode="area")
        share = self.lod % 1
        if share > 0:
            coarse = F.interpolate(img, size=self.resolution // 2, mode="area")
            img = (1 - share) * img + share * F.interpolate(coarse, size=self.resolution, mode="nearest")
        return F.interpolate(img, size=self.full, mode="nearest")

    # One step

    def step(self, batches: list[Batch]) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the network and the gradients of each phase; the caller applies them before the next one."""
        c, total = self.config, sum(len(batch.real_img) for batch in batches)
        G_main: list[Callable[[Batch], Tensor]] = [self.G_loss]
        D_main: list[Callable[[Batch], Tensor]] = [self.D_loss]
        if c.objective == "wasserstein_gp":
            D_main.append(self.gradient_penalty)
        if c.architecture == "progan" and c.discriminator["c_dim"] > 0:
            G_main.append(self.G_label_loss)
            D_main.append(self.D_label_loss)
        path_length = c.pl_weight > 0 and self.iteration >= c.pl_start and self.iteration % c.pl_interval == 0
        slopes = [loss for loss, gamma in ((self.r1, c.r1_gamma), (self.r2, c.r2_gamma)) if gamma > 0]
        slopes_due = bool(slopes) and self.iteration % c.r1_interval == 0
        for name, main, regularizers, due, interval in (
            ("G", G_main, [self.path_length], path_length, c.pl_interval),
            ("D", D_main, slopes, slopes_due, c.r1_interval),
        ):
            own_step = c.separate_regularization and interval > 1
            if due and not own_step:
                main.extend(regularizers)
            if c.one_stage:
                continue
            yield name, self.gradients(name, main, batches)
            if due and own_step:
                yield name, self.gradients(name, regularizers, batches)
        if c.one_stage:
            yield from self.one_stage(G_main[1:], D_main[1:], batches)
            if path_length and c.pl_interval > 1:
                yield "G", self.gradients("G", [self.path_length], batches)
            if slopes_due and c.r1_interval > 1:
                yield "D", self.gradients("D", slopes, batches)
        self.average(total)
        self.nimg += total
        self.iteration += 1
        if c.augment.mode == "ada" and self.iteration % c.augment.interval == 0:
            # StyleGAN2-ADA Sec. 3: r_t = E[sign(D(real))]
            r_t = float(torch.cat(self.signs).mean())
            move = c.batch * c.augment.interval / (c.augment.ada_kimg * 1000)
            self.p = min(max(self.p + move * ((r_t > c.augment.target) - (r_t < c.augment.target)), 0), c.augment.max_p)
            self.signs.clear()

    def gradients(self, name: str, losses: list[Callable[[Batch], Tensor]], batches: list[Batch]) -> dict[str, Tensor]:
        """The gradient of the mean over all micro-batches, zero where nothing is reached."""
        parameters = self.adam[name].parameters
        total = {key: torch.zeros_like(p) for key, p in parameters.items()}
        means = []
        for batch in batches:
            for loss in losses:
                for p in (*self.G.parameters(), *self.D.parameters()):
                    p.requires_grad_(False)
                for p in parameters.values():
                    p.requires_grad_(True)
                found = torch.autograd.grad(loss(batch).mean(), list(parameters.values()), allow_unused=True)
                for key, g in zip(parameters, found, strict=True):
                    total[key] += 0 if g is None else g / len(batches)
                if loss == self.path_length:
                    means.append(self.next_pl_mean)
        if means:
            self.pl_mean, self.pl_updates = torch.stack(means).mean(), self.pl_updates + 1
        if self.config.clip_norm is not None:
            for group in self.clipped[name]:
                norm = math.sqrt(sum(float(total[key].double().square().sum()) for key in group))
                for key in group:
                    total[key] *= min(1, self.config.clip_norm / norm)
        return total

    def one_stage(
        self, G_others: list[Callable], D_others: list[Callable], batches: list[Batch]
    ) -> list[tuple[str, dict[str, Tensor]]]:
        """The main gradients of both networks for the same generated images, and those of other losses."""
        total = {name: self.gradients(name, others, batches) for name, others in (("G", G_others), ("D", D_others))}
        for batch in batches:
            for p in (*self.G.parameters(), *self.D.parameters()):
                p.requires_grad_(True)
            relativistic = self.config.objective == "relativistic"
            c = batch.real_c if relativistic else batch.fake_c
            img = self.G.synthesis(self.ws(c, follow=True), **self.magnitudes)
            fake, real = self.D(self.shown(img), c), self.D(self.shown(batch.real_img), batch.real_c)
            self.signs.append(real.detach().sign())
            G_loss = torch.log1p(torch.exp(real - fake if relativistic else -fake))
            D_loss = torch.log1p(torch.exp(fake - real if relativistic else fake))
            D_loss = D_loss if relativistic else D_loss + torch.log1p(torch.exp(-real))
            for name, loss in (("G", G_loss), ("D", D_loss)):
                parameters = self.adam[name].parameters
                found = torch.autograd.grad(
                    loss.mean(), list(parameters.values()), retain_graph=True, allow_unused=True
                )
                for key, g in zip(parameters, found, strict=True):
                    total[name][key] += 0 if g is None else g / len(batches)
        return list(total.items())

    def apply(self, name: str, gradients: dict[str, Tensor]) -> None:
        """The Adam step of a phase."""
        c, factor = self.config, 1.0
        if c.growing is not None:
            base = c.g_lr if name == "G" else c.d_lr
            factor = c.growing.lr.get(self.resolution, base) / base
        self.adam[name].step(gradients, factor)

    def average(self, batch: int) -> None:
        """G_ema: a share halves every `ema_kimg`. ProGAN App. A, StyleGAN2-ADA App. C."""
        c = self.config
        half_life = c.ema_kimg * 1000
        if c.ema_rampup is not None:
            half_life = min(half_life, c.ema_rampup * self.nimg)
        beta = 0.5 ** (batch / max(half_life, 1e-8)) if c.ema_beta is None else c.ema_beta
        for average, p in zip(self.G_ema.parameters(), self.G.parameters(), strict=True):
            average.data.copy_(beta * average.data + (1 - beta) * p.data)
        for average, buffer in zip(self.G_ema.buffers(), self.G.buffers(), strict=True):
            average.copy_(buffer)

    # What the networks are asked for

    def ws(self, c: Tensor, follow: bool = False) -> Tensor:
        """Style mixing, StyleGAN Sec. 3.1; with `follow`, the average w moves towards the batch."""
        G = self.G
        ws = G.mapping(torch.randn(len(c), G.z_dim), c)
        if follow and self.config.architecture not in ("progan", "r3gan"):  # which have no average w
            beta = G.mapping.w_avg_beta
            G.mapping.w_avg.copy_(beta * G.mapping.w_avg + (1 - beta) * ws[:, 0].detach().mean(0))
        if torch.rand([]) < self.config.style_mixing_prob:
            active = G.num_ws - 2 * math.floor(self.lod or 0)
            cutoff = int(torch.randint(1, active, []))
            second = G.mapping(torch.randn(len(c), G.z_dim), c)
            first = torch.arange(G.num_ws)[None, :, None] < cutoff
            ws = torch.where(first, ws, second)
        return ws

    @property
    def magnitudes(self) -> dict[str, bool]:
        return {"update_emas": True} if self.config.architecture == "stylegan3" else {}

    def shown(self, img: Tensor) -> Tensor:
        """Images as D gets them: blurred while that fades (StyleGAN3 App. E), then augmented (StyleGAN2-ADA Fig. 2)."""
        blur = self.config.blur
        sigma = max(1 - self.nimg / (blur.fade_kimg * 1000), 0) * blur.init_sigma
        if (reach := math.floor(3 * sigma)) > 0:
            taps = torch.tensor([2 ** -((i / sigma) ** 2) for i in range(-reach, reach + 1)])
            taps = (taps / taps.sum()).repeat(img.shape[1], 1, 1, 1)
            img = F.conv2d(img, taps, padding=(0, reach), groups=img.shape[1])
            img = F.conv2d(img, taps.transpose(2, 3), padding=(reach, 0), groups=img.shape[1])
        if self.augment is None:
            return img
        self.augment.p.fill_(self.p)
        return self.augment(img)

    # Losses, [N] each

    def G_loss(self, batch: Batch) -> Tensor:
        if self.config.objective == "relativistic":  # R3GAN Eq. 2, pairs with equal labels
            c = batch.real_c
            fake = self.D(self.shown(self.G.synthesis(self.ws(c))), c)
            real = self.D(self.shown(batch.real_img), c)
            return torch.log1p(torch.exp(-(fake - real)))
        logits = self.D(self.shown(self.G.synthesis(self.ws(batch.fake_c))), batch.fake_c)
        # Goodfellow et al. 2014: -log sigmoid(D); the others maximize D itself.
        return torch.log1p(torch.exp(-logits)) if self.config.objective == "logistic" else -logits

    def D_loss(self, batch: Batch) -> Tensor:
        fake_c = batch.real_c if self.config.objective == "relativistic" else batch.fake_c
        with torch.no_grad():
            ws = self.ws(fake_c, follow=True)
            img = self.G.synthesis(ws, **self.magnitudes)
        fake = self.D(self.shown(img), fake_c)
        real = self.D(self.shown(batch.real_img), batch.real_c)
        self.signs.append(real.detach().sign())
        if self.config.objective == "logistic":
            return torch.log1p(torch.exp(fake)) + torch.log1p(torch.exp(-real))
        if self.config.objective == "relativistic":
            return torch.log1p(torch.exp(-(real - fake)))
        if self.config.objective == "hinge":  # Lim and Ye 2017, Eq. 4
            return (1 + fake).clamp(min=0) + (1 - real).clamp(min=0)
        return fake - real + 0.001 * real**2  # ProGAN App. A.1

    def r1(self, batch: Batch) -> Tensor:
        """Mescheder et al. 2018, Eq. 9, as many times stronger as it is rarer."""
        penalty, logits = self.squared_slope(batch.real_img, batch.real_c)
        self.signs.append(logits.detach().sign())
        return self.config.r1_interval * self.config.r1_gamma / 2 * penalty

    def r2(self, batch: Batch) -> Tensor:
        """Mescheder et al. 2018, Eq. 10."""
        with torch.no_grad():
            img = self.G.synthesis(self.ws(batch.fake_c))
        return self.config.r1_interval * self.config.r2_gamma / 2 * self.squared_slope(img, batch.fake_c)[0]

    def squared_slope(self, img: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """|dD/dx|^2 by second derivatives, or by a small step in a random direction under the same augmentation."""
        if self.config.penalty == "exact":
            x = img.clone().requires_grad_(True)
            logits = self.D(self.shown(x), c)
            (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
            return (slope**2).sum([1, 2, 3]), logits
        n, sigma = torch.randn_like(img), self.config.penalty_sigma
        seed = int(torch.randint(2**62, []))
        logits = []
        for x in (img, img + sigma * n):
            torch.manual_seed(seed)
            logits.append(self.D(self.shown(x), c))
        return (logits[1] - logits[0])[:, 0] ** 2 / sigma**2, logits[0]

    def gradient_penalty(self, batch: Batch) -> Tensor:
        """Gulrajani et al. 2017, Algorithm 1."""
        with torch.no_grad():
            fake = self.G.synthesis(self.ws(batch.fake_c))
        u = torch.rand([len(fake), 1, 1, 1])
        x = (u * fake + (1 - u) * batch.real_img).requires_grad_(True)
        (slope,) = torch.autograd.grad(self.D(self.shown(x), batch.fake_c).sum(), x, create_graph=True)
        return self.config.gp_weight * ((slope**2).sum([1, 2, 3]).sqrt() - 1) ** 2

    def path_length(self, batch: Batch) -> Tensor:
        """StyleGAN2 Sec. 3.2, Eq. 4, with the weight of a lazy regularizer."""
        c = self.config
        labels = batch.fake_c[: max(len(batch.fake_c) // c.pl_batch_shrink, 1)]
        ws = self.ws(labels)
        img = self.G.synthesis(ws)
        y = torch.randn_like(img) / math.sqrt(img.shape[2] * img.shape[3])
        (J_y,) = torch.autograd.grad((img * y).sum(), ws, create_graph=True)
        lengths = (J_y**2).sum(2).mean(1).sqrt()
        mean = (1 - c.pl_decay) * self.pl_mean + c.pl_decay * lengths.mean()
        self.next_pl_mean = mean.detach()
        if c.path_length == "previous_mean":  # without this batch, and with the start at 0 made up for
            unbiased = self.pl_mean / (1 - (1 - c.pl_decay) ** self.pl_updates) if self.pl_updates else lengths.detach()
            mean = unbiased
        return c.pl_weight * c.pl_interval * (lengths - mean) ** 2

    def G_label_loss(self, batch: Batch) -> Tensor:
        """Odena et al. 2017: cross-entropy of the label that D reads."""
        img = self.G.synthesis(self.ws(batch.fake_c))
        return self.cross_entropy(img, batch.fake_c)

    def D_label_loss(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            img = self.G.synthesis(self.ws(batch.fake_c))
        return self.cross_entropy(batch.real_img, batch.real_c) + self.cross_entropy(img, batch.fake_c)

    def cross_entropy(self, img: Tensor, c: Tensor) -> Tensor:
        _, logits = self.D.score_and_labels(self.shown(img))
        return -(c * torch.softmax(logits, 1).log()).sum(1)
