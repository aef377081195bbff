"""Feature network with six features, which records the images that it receives."""

from __future__ import annotations

import torch


class Moments:
    """Mean and standard deviation of each channel."""

    name, feature_dim, resize, sha256 = "moments", 6, "none", None

    def __init__(self, device="cpu"):
        self.seen = []

    def __call__(self, images):
        assert images.dtype == torch.uint8
        self.seen += images
        x = images.float().flatten(2)
        return torch.cat([x.mean(2), x.std(2)], dim=1)
