"""Truncation towards the average of a class; the average of all classes may look like none of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from stylegan.errors import ConfigError
from stylegan.machine.surroundings import ordinary_torch
from stylegan.networks.mapping import truncate
from stylegan.networks.protocol import GeneratorLike, device_of

SAMPLES = 4096  # number of w; the standard error of their mean is 1/64 of their standard deviation


@ordinary_torch(gradients=False)
def class_average(G: GeneratorLike, c: Tensor) -> Tensor:
    """Return the mean w of one label c [c_dim], [w_dim] on the network's device; every call returns the same."""
    device = device_of(G)
    z = torch.randn([SAMPLES, G.z_dim], generator=torch.Generator().manual_seed(0)).to(device)
    return G.mapping(z, c.to(device).expand(SAMPLES, -1))[:, 0].mean(0)


class ClassCentered(nn.Module):
    """A generator that truncates towards the average w of each image's own label.

    Raises: ConfigError for a network without labels.
    """

    def __init__(self, G: Any):
        super().__init__()
        if G.c_dim == 0:
            raise ConfigError("this network has no classes, so truncation has only the global center.")
        self.G = G
        self.z_dim, self.c_dim, self.num_ws, self.img_resolution = G.z_dim, G.c_dim, G.num_ws, G.img_resolution
        self.img_channels, self.w_dim = G.img_channels, G.w_dim
        self.class_names, self.label_names = G.class_names, G.label_names
        self.synthesis = G.synthesis
        self._averages: dict[tuple[float, ...], Tensor] = {}

    def mapping(self, z: Tensor, c: Tensor, *, truncation_psi: float = 1.0, truncation_cutoff: int | None = None):
        """Map z [N, z_dim] and c [N, c_dim] to ws [N, num_ws, w_dim]."""
        ws = self.G.mapping(z, c)
        if truncation_psi == 1:
            return ws
        centers = torch.stack([self._average(row) for row in c.cpu()])  # [N, w_dim]
        return truncate(ws, centers[:, None], truncation_psi, truncation_cutoff)

    def _average(self, c: Tensor) -> Tensor:
        key = tuple(c.tolist())
        if key not in self._averages:
            self._averages[key] = class_average(self.G, c)
        return self._averages[key]
