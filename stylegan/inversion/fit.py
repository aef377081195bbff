"""Fit an image to the input of image-to-image: search for w that draw its edges, its few pixels or its brightness."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.inversion.ramp import ramp
from stylegan.inversion.tasks import Task
from stylegan.inversion.w_statistics import WStatistics, ws_of_all_labels
from stylegan.networks.generator import FamilyGenerator

LR = 0.03  # in coordinates in which random w have unit variance
LR_RAMPUP, LR_RAMPDOWN = 0.05, 0.5  # parts of the steps
TYPICAL = 1e-2  # weight of the mean squared coordinate, which is 1 for random w
SPREAD = 1e-3  # weight of the distance between the w of the layers
SAMPLES = 10_000  # random w that give these coordinates


def fit(G: FamilyGenerator, ws: Tensor, task: Task, inputs: Tensor, *, steps: int) -> Tensor:
    """Return ws whose images, seen as the inputs of the task are, come closer to given inputs.

    An encoder finds an image of the right kind. These steps of Adam then reduce the difference that the input
    defines (`Task.difference`), which is what a test of the result would measure (Menon et al. 2020, "PULSE", for
    small images). Penalties keep w among those of random images, and the layers together.

    Args:
        G: not prepared for inference. Its weights are not changed.
        ws: where the search starts, [N, num_ws, w_dim], or [N, 1, w_dim] to search for one w for all layers.
        inputs: [N, channels, R, R] in [-1, 1].
    Returns: [N, num_ws, w_dim].
    Raises: ConfigError for a task whose inputs cannot be made from images.
    """
    if task.paired:
        raise ConfigError(
            f"the inputs of the task {task.name} cannot be made from images, so an image cannot be fitted to them; "
            "leave out `steps`."
        )
    statistics = WStatistics.of(ws_of_all_labels(G, SAMPLES)[:, 0], whiten=True)
    x = statistics.coordinates(ws).detach().requires_grad_()
    adam = torch.optim.Adam([x], betas=(0.9, 0.9))
    for step in range(steps):
        adam.param_groups[0]["lr"] = LR * ramp(step / steps, LR_RAMPUP, LR_RAMPDOWN)
        w = statistics.w(x).expand(-1, G.num_ws, -1)
        loss = (
            task.difference(G.synthesis(w, noise_mode="const"), inputs)
            + TYPICAL * x.square().mean([1, 2])
            + SPREAD * statistics.scatter(w)
        )
        adam.zero_grad()
        loss.sum().backward(inputs=[x])
        adam.step()
    return statistics.w(x.detach()).expand(-1, G.num_ws, -1)
