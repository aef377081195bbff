"""Recorded outputs of the reference networks, and the recipe for the inputs of the recording."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

RECORDS = json.loads((Path(__file__).parent / "golden.json").read_text())

# Weights of R3GAN, which has no equalized learning rate.
UNSCALED = ("expand", "grouped", "contract", "project", "linear", "depthwise", "embed", "torgb", "fromrgb")


def R(seed: int, shape: list[int]) -> Tensor:
    """Return unit Gaussian numbers that depend only on the seed."""
    return torch.from_numpy(np.random.RandomState(seed).randn(math.prod(shape)).astype(np.float32)).reshape(shape)


def fill(module: nn.Module) -> nn.Module:
    """Overwrite every parameter and buffer with values that depend on its name, as in the recording."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            leaf = name.split(".")[-1]
            if leaf in ("resample_filter", "up_filter", "down_filter", "transform", "box", "blur"):
                continue
            new = R(zlib.crc32(name.encode()), list(value.shape))
            if leaf == "noise_strength":
                new = torch.full_like(value, 0.3)
            if leaf == "w_avg":
                new = new * 0.1
            if leaf == "bias":
                new = new * 0.2 + (1 if name.endswith("affine.bias") else 0)
            if leaf == "weight" and "mapping.fc" in name:
                new = new * 100
            if leaf in UNSCALED:
                new = new / math.sqrt(value[0].numel())
            if leaf.endswith("_bias"):
                new = new * 0.2
            if leaf == "magnitude_ema":
                new = torch.full_like(value, 1.5)
            if name.endswith("input.affine.weight"):
                new = new * 0.1
            if name.endswith("input.affine.bias"):
                new = torch.tensor([1, 0.2, 0.1, -0.1])
            new = new * {"freqs": 1.2, "phases": 0.3}.get(leaf, 1)
            value.copy_(new)
    return module.eval()


def assert_matches(name: str, y: Tensor, tolerance: float = 1e-4) -> None:
    """Assert that `y` is the recorded output: shape, mean, rms, a weighted sum of all values, and single values."""
    record = RECORDS[name]
    assert list(y.shape) == record["shape"]
    v = y.detach().double().flatten().numpy()
    scale = max(record["rms"], 1e-6)
    dot = float((v * np.cos(0.01 * np.arange(len(v)))).sum())
    assert abs(v.mean() - record["mean"]) <= tolerance * scale
    assert abs(np.sqrt((v**2).mean()) - record["rms"]) <= tolerance * scale
    assert abs(dot - record["dot"]) <= tolerance * scale * len(v) ** 0.5
    np.testing.assert_allclose(v[:6], record["first"], atol=tolerance * scale, rtol=tolerance)
    np.testing.assert_allclose(v[-3:], record["last"], atol=tolerance * scale, rtol=tolerance)
