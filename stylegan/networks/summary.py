"""The layer table that the official trainers print: parameters, buffers and outputs of every layer of a network."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_DEPTH = 3  # levels below the network; deeper layers are counted with their parent


@dataclass(frozen=True)
class Row:
    """One layer: the number of its own parameters and buffers, and one of its outputs."""

    name: str
    parameters: int
    buffers: int
    shape: list[int]
    dtype: str


def layer_rows(network: Any, *inputs: Tensor | None) -> list[Row]:
    """Return the layers of a network in the order in which they finish.

    Every tensor counts where it first appears, and a layer that adds none has no row. A layer with several outputs
    has a row for each, with the shape of the first, as in the official tables, so that the two can be compared.

    Args:
        network: any module; it is not changed, and nothing is computed.
        inputs: arguments of its forward, on any device.
    """
    network = copy.deepcopy(network).to("meta")
    if getattr(getattr(network, "settings", None), "num_fp16_res", 0):
        network.precision = "fp16"  # shows the blocks that are marked for reduced precision
    rows: list[Row] = []
    seen: set[int] = set()
    kept: list[Tensor] = []  # an id is only unique while its tensor lives

    def finish(name: str, module: nn.Module, output: object) -> None:
        outputs = [t for t in (output if isinstance(output, tuple) else [output]) if isinstance(t, Tensor)]
        parameters = [t for t in module.parameters() if id(t) not in seen]
        buffers = [t for t in module.buffers() if id(t) not in seen]
        new_outputs = [t for t in outputs if id(t) not in seen]
        seen.update(id(t) for t in (*parameters, *buffers, *new_outputs))
        kept.extend(new_outputs)
        if not (parameters or buffers or new_outputs):
            return
        for i, t in enumerate(outputs):
            rows.append(
                Row(
                    name=f"{name}:{i}" if len(outputs) > 1 else name,
                    parameters=sum(p.numel() for p in parameters) if i == 0 else 0,
                    buffers=sum(b.numel() for b in buffers) if i == 0 else 0,
                    shape=list(outputs[0].shape),
                    dtype=str(t.dtype).removeprefix("torch."),
                )
            )

    for name, module in network.named_modules():
        if name.count(".") < _DEPTH:
            label = name or "<top-level>"
            module.register_forward_hook(lambda module, _, output, label=label: finish(label, module, output))
    with torch.no_grad():
        network(*[x.to("meta") if x is not None else None for x in inputs])
    return rows


def layer_table(network: nn.Module, *inputs: Tensor | None) -> str:
    """Format `layer_rows` as a table, with the class of the network as title and the totals below."""
    rows = layer_rows(network, *inputs)
    head = [type(network).__name__, "Parameters", "Buffers", "Output shape", "Datatype"]
    body = [[row.name, str(row.parameters or "-"), str(row.buffers or "-"), str(row.shape), row.dtype] for row in rows]
    total = ["Total", str(sum(r.parameters for r in rows)), str(sum(r.buffers for r in rows)), "-", "-"]
    rule = ["---"] * len(head)
    lines = [head, rule, *body, rule, total]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def generator_table(G: Any, batch: int = 4) -> str:
    """Format the layer table of a generator, for `batch` latents."""
    return layer_table(G, torch.empty(batch, G.z_dim), torch.empty(batch, G.c_dim))


def discriminator_table(D: Any, batch: int = 4) -> str:
    """Format the layer table of a discriminator, for `batch` images."""
    img = torch.empty(batch, D.img_channels, D.img_resolution, D.img_resolution, device="meta")
    return layer_table(D, img, torch.empty(batch, D.c_dim))
