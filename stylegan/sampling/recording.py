"""Drawing recorded as a graph of PyTorch, which runs without Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from stylegan.images.pixels import to_uint8
from stylegan.inference.generator import InferenceGenerator
from stylegan.machine.surroundings import ordinary_torch
from stylegan.sampling.generate import draw_batch

Draw = Callable[[Tensor], Tensor]  # ws [N, num_ws, w_dim] -> images [N, C, H, W] uint8 on the CPU


@ordinary_torch(gradients=False)
def recorded_draw(G: InferenceGenerator, ws: Tensor, *, noise_mode: str = "const") -> Draw | None:
    """Return a function that draws as `draw_batch`, for batches of any size, or None if `G` cannot be recorded.

    Every operation of an ordinary drawing takes Python's lock, for which it waits where other threads answer requests.
    The recorded ones take it once for all of them, and small networks also draw a fifth to a third faster.

    Args:
        G: a network on the CPU. What it computes must depend on ws alone: its buffers may not change later.
        ws: [num_ws, w_dim], of any image, to record and to compare.
        noise_mode: "const" or "none".
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numbers of Python become constants, as the comparison would show
            graph = torch.jit.trace(_Drawing(G, noise_mode).eval(), ws.expand(2, -1, -1), check_trace=False)
        several = torch.stack([ws, 0.5 * ws, 0.25 * ws])
        draw = _running(graph, lambda ws: draw_batch(G, list(ws), noise_mode=noise_mode))
        same = torch.equal(draw(several), draw_batch(G, list(several), noise_mode=noise_mode))
    except Exception:  # of many kinds: a network may do what cannot be recorded, and so may a future PyTorch
        return None
    return draw if same else None


def _running(graph: torch.jit.ScriptModule, otherwise: Draw) -> Draw:
    @ordinary_torch(gradients=False)
    def draw(ws: Tensor) -> Tensor:
        with torch.jit.optimized_execution(False):  # which would compile for every size of batch
            images, finite = graph(ws)
        return images if bool(finite) else otherwise(ws)  # which names the image that is not

    return draw


class _Drawing(nn.Module):
    """ws -> images uint8, and whether all of them are finite."""

    def __init__(self, G: InferenceGenerator, noise_mode: str):
        super().__init__()
        self.synthesis, self.noise_mode = G.synthesis, noise_mode

    def forward(self, ws: Tensor) -> tuple[Tensor, Tensor]:
        img = self.synthesis(ws, noise_mode=self.noise_mode)
        return to_uint8(img), img.isfinite().all()
