"""Faces in photos and their five landmarks: MTCNN (Zhang et al. 2016), with the weights of the package `mtcnn`."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import CheckpointError, MissingExtra
from stylegan.machine.surroundings import one_thread, ordinary_torch

SHA256 = {  # of the files of mtcnn 1.0
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
CELL, STRIDE = 12, 2  # pixels that the first network sees at once, and from one place to the next
SCALE = 0.709  # from one size of the pyramid to the next; the area halves
SMALLEST = 1 / 10  # of the shorter side: faces that are smaller are not looked for
SCORES = (0.6, 0.7, 0.8)  # that a face needs to pass each of the three networks


class Face(NamedTuple):
    """A face in an image, in pixels; x and y of the center of the first pixel are 0."""

    box: tuple[float, float, float, float]  # left, top, right, bottom
    score: float  # from 0 to 1
    landmarks: (
        np.ndarray
    )  # [5, 2], x and y of the eye on the left of the image, the other eye, nose, mouth left and right


@one_thread()  # so that the result does not depend on their number
@ordinary_torch(gradients=False)
def find_faces(image: np.ndarray) -> list[Face]:
    """Return the faces of an image [H, W, 3] uint8, the largest first.

    Faces of less than a tenth of the shorter side, or 20 pixels, are not looked for.

    Raises: MissingExtra without the package `mtcnn`, CheckpointError for another version of its weights.
    """
    proposal, refine, output = _networks()
    pixels = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() - 127.5) / 128
    boxes = _square(_proposals(proposal, pixels))
    moves, scores = refine(_patches(pixels, boxes, 24))
    boxes, scores = _moved(boxes, moves), scores.softmax(1)[:, 1]
    found = _apart(boxes, scores, SCORES[1], 0.7)
    boxes = _square(boxes[found])
    moves, landmarks, scores = output(_patches(pixels, boxes, 48))
    scores, size = scores.softmax(1)[:, 1], (boxes[:, 2:] - boxes[:, :2] + 1)[:, None]
    landmarks = landmarks.view(-1, 2, 5).mT * size + boxes[:, None, :2] - 1
    boxes = _moved(boxes, moves)
    faces = [
        Face(tuple(boxes[k].tolist()), float(scores[k]), landmarks[k].numpy())
        for k in _apart(boxes, scores, SCORES[2], 0.7, of_smaller=True).tolist()
    ]
    return sorted(faces, key=lambda face: face.box[0] - face.box[2])


def _proposals(network: nn.Module, pixels: Tensor) -> Tensor:
    """Return boxes [N, 4] that the first network finds in images of ever smaller size."""
    height, width = pixels.shape[2:]
    boxes, scores = [torch.empty(0, 4)], [torch.empty(0)]
    scale = CELL / max(20.0, SMALLEST * min(height, width))
    while min(height, width) * scale >= CELL:
        size = [round(height * scale), round(width * scale)]
        moves, score = network(F.interpolate(pixels, size, mode="bilinear", antialias=True))
        score = score.softmax(1)[0, 1]
        y, x = (score > SCORES[0]).nonzero(as_tuple=True)
        corner = torch.stack([x, y], 1) * STRIDE
        box = torch.cat([corner + 1, corner + CELL], 1) + moves[0, :, y, x].T * (CELL - 1)
        kept = _apart(box, score[y, x], 0.0, 0.5)
        boxes.append(box[kept] / scale)
        scores.append(score[y, x][kept])
        scale *= SCALE
    found, score = torch.cat(boxes), torch.cat(scores)
    return found[_apart(found, score, 0.0, 0.7)]


def _square(boxes: Tensor) -> Tensor:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([middle - half, middle + half], 1)


def _moved(boxes: Tensor, moves: Tensor) -> Tensor:
    size = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + moves * torch.cat([size, size], 1)


def _apart(boxes: Tensor, scores: Tensor, least: float, overlap: float, of_smaller: bool = False) -> Tensor:
    """Return the indices of boxes with a score above `least`, without those that overlap with a better one.

    overlap: largest share of the union, or with `of_smaller` of the smaller box, that two boxes may have in common.
    """
    order = scores.argsort(descending=True)
    order = order[scores[order] > least]
    kept = []
    while len(order):
        best, others = order[0], order[1:]
        kept.append(best)
        common = (
            torch.minimum(boxes[best, 2:], boxes[others, 2:]) - torch.maximum(boxes[best, :2], boxes[others, :2])
        ).clamp(min=0).prod(1)  # fmt: skip
        one, all = ((boxes[k, ..., 2:] - boxes[k, ..., :2]).prod(-1) for k in (best, others))
        whole = torch.minimum(one, all) if of_smaller else one + all - common
        order = others[common / whole <= overlap]
    return torch.stack(kept) if kept else order


def _patches(pixels: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Return what is in boxes [N, 4] of an image [1, C, H, W], [N, C, side, side]; black outside."""
    height, width = pixels.shape[2:]
    steps = torch.linspace(0, 1, side)
    x, y = (boxes[:, k : k + 1] + steps * (boxes[:, k + 2 : k + 3] - boxes[:, k : k + 1]) for k in (0, 1))
    x, y = x / (width - 1) * 2 - 1, y / (height - 1) * 2 - 1
    grid = torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], 3)
    return F.grid_sample(pixels.expand(len(boxes), -1, -1, -1), grid, align_corners=True)


# The networks, table 1 of the paper. Their pooling rounds up.


class _Heads(nn.Module):
    """Layers, and several ends that take what comes out of them."""

    def __init__(self, layers: Sequence[nn.Module], heads: Sequence[nn.Module]):
        super().__init__()
        self.layers, self.heads = nn.Sequential(*layers), nn.ModuleList(heads)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.layers(x)
        return [head(x) for head in self.heads]


class _ByColumns(nn.Module):
    """[N, C, H, W] -> [N, W * H * C], the order in which the weights of the next layer are stored."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 2, 1).flatten(1)


def _conv(before: int, after: int, size: int, *pool: nn.Module) -> list[nn.Module]:
    return [nn.Conv2d(before, after, size), nn.PReLU(after), *pool]


def _linear(before: int, after: int) -> list[nn.Module]:
    return [_ByColumns(), nn.Linear(before, after), nn.PReLU(after)]


def _pool(size: int, ceil: bool = True) -> nn.Module:
    return nn.MaxPool2d(size, 2, ceil_mode=ceil)


def _built() -> dict[str, _Heads]:
    pnet = [*_conv(3, 10, 3, _pool(2)), *_conv(10, 16, 3), *_conv(16, 32, 3)]
    rnet = [*_conv(3, 28, 3, _pool(3)), *_conv(28, 48, 3, _pool(3, ceil=False)), *_conv(48, 64, 2), *_linear(576, 128)]
    onet = [
        *_conv(3, 32, 3, _pool(3)), *_conv(32, 64, 3, _pool(3, ceil=False)), *_conv(64, 64, 3, _pool(2)),
        *_conv(64, 128, 2), *_linear(1152, 256),
    ]  # fmt: skip
    return {
        "pnet": _Heads(pnet, [nn.Conv2d(32, 4, 1), nn.Conv2d(32, 2, 1)]),
        "rnet": _Heads(rnet, [nn.Linear(128, 4), nn.Linear(128, 2)]),
        "onet": _Heads(onet, [nn.Linear(256, 4), nn.Linear(256, 10), nn.Linear(256, 2)]),
    }


@cache
def _networks() -> tuple[nn.Module, nn.Module, nn.Module]:
    spec = find_spec("mtcnn")  # the package itself is not imported: it needs TensorFlow
    if spec is None or spec.origin is None:
        raise MissingExtra("finding faces needs the package mtcnn. Install it with: pip install 'stylegan[faces]'")
    folder = Path(spec.origin).parent / "assets" / "weights"
    networks = _built()
    for name, network in networks.items():
        _load(network, folder / f"{name}.lz4", SHA256[name])
    return networks["pnet"], networks["rnet"], networks["onet"]


def _load(network: nn.Module, file: Path, sha256: str) -> None:
    """Fill a network with the arrays of a file, whose axes have the order of TensorFlow."""
    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != sha256:  # before it is opened: the format can run code
        raise CheckpointError(f"{file} is not that of mtcnn 1.0; install it again: pip install 'mtcnn==1.0.0'")
    arrays = [torch.from_numpy(array) for array in import_module("joblib").load(file)]
    layout = {4: (3, 2, 0, 1), 2: (1, 0)}
    tensors = [array.flatten() if array.shape[:-1].numel() == 1 else array for array in arrays]
    tensors = [x.permute(layout[x.ndim]).contiguous() if x.ndim in layout else x for x in tensors]
    state: OrderedDict[str, Any] = OrderedDict(
        (name, x.view_as(parameter)) for (name, parameter), x in zip(network.named_parameters(), tensors, strict=True)
    )
    network.load_state_dict(state)
    network.eval().requires_grad_(False)
