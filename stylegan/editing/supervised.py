"""Directions with labels: the normal of the hyperplane that separates w by an attribute. Shen et al. 2020."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from stylegan.editing.directions import Direction, measured
from stylegan.errors import ConfigError, DataError
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.sampling.generate import batched, draw
from stylegan.sampling.latent import space_of
from stylegan.sampling.latents import MAX_COUNT

PENALTY = 0.1  # on the squared weights of a regression, relative to the variance of w; keeps to what many w show
HELD_OUT = 5  # one of this many w measures how well the direction separates the others
MIN_EXAMPLES = 4

Classifier = Callable[[Tensor], Tensor]  # images uint8 [N, C, R, R] -> a score for each attribute, [N, A]


def linear_direction(
    G: FamilyGenerator,
    w: Tensor,
    values: Tensor,
    *,
    name: str,
    layers: Sequence[int] | None = None,
) -> Direction:
    """Return the direction in w along which an attribute grows.

    Values of two kinds give the normal of a logistic regression, others that of a linear one. Its note is the accuracy
    or the correlation for every fifth w, which a first fit leaves out.

    Args:
        w: [N, w_dim].
        values: of their images, [N].
    Raises: ConfigError for fewer than 4 values, or equal ones.
    """
    low, high = values.min(), values.max()
    if len(values) < MIN_EXAMPLES or low == high:
        raise ConfigError(
            f"a direction for {name} needs images with and without it, at least {MIN_EXAMPLES} in all, got "
            f"{len(values)} values from {float(low):g} to {float(high):g}."
        )
    held_out = torch.arange(len(values)) % HELD_OUT == 0
    w = w.cpu()
    x, y = w.to(torch.float64), values.cpu().to(torch.float64)
    if bool(((y == low) | (y == high)).all()):
        fit, y = logistic_regression, (y == high).to(torch.float64)
    else:
        fit = ridge_regression
    note = f"from {len(y)} images"
    if len(set(y[~held_out].tolist())) > 1:
        note += ", " + _quality(
            x[held_out], y[held_out], *fit(x[~held_out], y[~held_out]), binary=fit is logistic_regression
        )
    normal, _ = fit(x, y)
    return measured(normal, w, name=name, layers=layers, space=space_of(G), method="labels", note=note)


def logistic_regression(x: Tensor, y: Tensor, penalty: float = PENALTY) -> tuple[Tensor, Tensor]:
    """Return weights [D] and bias of the logistic regression of y [N], 0 and 1, on x [N, D], by Newton's method.

    penalty: on the squared weights, for x scaled to unit variance on average over its columns.
    """
    mean, scale = x.mean(0), x.std(0).square().mean().sqrt()
    a = torch.cat([(x - mean) / scale, torch.ones_like(x[:, :1])], 1)
    ridge = torch.full([a.shape[1]], penalty, dtype=a.dtype)
    ridge[-1] = 1e-9  # the bias is free
    b = a.new_zeros(a.shape[1])
    for _ in range(25):
        p = (a @ b).sigmoid()
        gradient = a.T @ (p - y) / len(y) + ridge * b
        curvature = (a * (p * (1 - p))[:, None]).T @ a / len(y) + torch.diag(ridge)
        step = torch.linalg.solve(curvature, gradient)
        b = b - step * min(1.0, 10 / float(step.norm().clamp(min=1e-30)))  # a long step may overshoot
        if float(step.norm()) < 1e-8:
            break
    weights = b[:-1] / scale
    return weights, b[-1] - weights @ mean


def ridge_regression(x: Tensor, y: Tensor, penalty: float = PENALTY) -> tuple[Tensor, Tensor]:
    """Return weights [D] and bias of the linear regression of y [N] on x [N, D]. Arguments as above."""
    mean, scale = x.mean(0), x.std(0).square().mean().sqrt()
    a = (x - mean) / scale
    gram = a.T @ a / len(y) + penalty * torch.eye(a.shape[1], dtype=a.dtype)
    weights = torch.linalg.solve(gram, a.T @ (y - y.mean()) / len(y)) / scale
    return weights, y.mean() - weights @ mean


def _quality(x: Tensor, y: Tensor, weights: Tensor, bias: Tensor, *, binary: bool) -> str:
    predicted = x @ weights + bias
    if binary:
        return f"accuracy {float(((predicted > 0) == (y > 0.5)).double().mean()):.2f} on {len(y)} held out"
    return f"correlation {float(torch.corrcoef(torch.stack([predicted, y]))[0, 1]):.2f} on {len(y)} held out"


def classify_w(G: FamilyGenerator, w: Tensor, classify: Classifier, *, batch: int = 32) -> Tensor:
    """Return the scores of the images of w [N, w_dim] or [N, num_ws, w_dim], [N, A] on the CPU."""
    ws = (row.expand(G.num_ws, -1) for row in w.to(device_of(G)))
    return torch.cat([classify(torch.stack(part)).cpu() for part in batched(draw(G, ws, batch=batch), batch)])


def read_marked_seeds(file: Path | str) -> tuple[list[int], Tensor]:
    """Read a CSV with the lines `seed,value`, such as 17,1; a first line of names is skipped.

    Returns: (N seeds, values [N]).
    Raises: DataError for other lines, none, or more than a million.
    """
    seeds: list[int] = []
    values: list[float] = []
    try:
        with open(file, newline="", encoding="utf-8-sig") as lines:
            for number, row in enumerate(csv.reader(lines), 1):
                if not row or (number == 1 and not row[0].strip().isdigit()):
                    continue
                try:
                    seed, value = int(row[0]), float(row[1])
                except (ValueError, IndexError):
                    seed, value = -1, math.nan
                if len(row) != 2 or not 0 <= seed < 2**32 or not math.isfinite(value):
                    raise DataError(
                        f"{file}, line {number}: expected a seed and a value such as 17,1, got {','.join(row)[:80]!r}."
                    )
                seeds.append(seed)
                values.append(value)
                if len(seeds) > MAX_COUNT:
                    raise DataError(f"{file} has more than {MAX_COUNT:,} lines, the limit.")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a CSV of seeds and values: {error}.") from error
    if not seeds:
        raise DataError(f"{file} holds no seeds; write one line such as 17,1 for each.")
    return seeds, torch.tensor(values, dtype=torch.float64)
