"""Trace the tensors of a foreign file to those of the networks that were read from it, by their values.

The readers transpose, mirror and reshape tensors, and add one to some biases. None of this changes which values there
are, so the sorted values of two tensors say that one became the other, without asking the reader.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stylegan.checkpoints import nvidia, rosinality, tensorflow
from stylegan.checkpoints.account import Account
from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.open import content_of
from stylegan.checkpoints.pickle_vm import Record

_UNREAD = "not part of the network here"


def read_accounts(path: Path, checkpoint: Checkpoint) -> dict[str, Account]:
    """Return an account of the tensors of a foreign file for each network that was read from it.

    Raises: CheckpointError if the file cannot be read any more.
    """
    sections = dict(_sections(content_of(path), checkpoint))
    return {name: trace(sections.get(name, {}), network) for name, network in checkpoint.networks.items()}


def trace(source: Mapping[str, Tensor], network: nn.Module) -> Account:
    """Return what became of each tensor of `source`: kept or renamed in `network`, or dropped; and what was added.

    Tensors with equal values are distinguished by their names, then by their order.
    """
    own = network.state_dict()
    kept = [name for name, value in source.items() if name in own and torch.equal(value.float(), own[name])]
    waiting: dict[str, list[str]] = {}
    for name in (n for n in own if n not in kept):
        waiting.setdefault(_fingerprint(own[name]), []).append(name)
    renamed, dropped = {}, {}
    for name in (n for n in source if n not in kept):
        found = waiting.get(_fingerprint(source[name]))
        if not found and source[name].ndim == 1:
            found = waiting.get(_fingerprint(source[name] + 1))
        if found:
            renamed[name] = found.pop(0)
        else:
            dropped[name] = _UNREAD
    return Account(
        kept=kept, renamed=renamed, dropped=dropped, added=[name for names in waiting.values() for name in names]
    )


def _fingerprint(value: Tensor) -> str:
    values = np.sort(value.detach().float().numpy(), axis=None) + np.float32(0)  # makes a negative zero positive
    return hashlib.sha256(values.tobytes()).hexdigest()


def _sections(content: Any, checkpoint: Checkpoint) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield the name of each network here, and the tensors of the file that belong to it under their own names."""
    if isinstance(content, list | tuple):  # TensorFlow's (G, D, Gs)
        for name, record in zip(("G", "D", "G_ema"), content, strict=False):
            if isinstance(record, Record):
                yield name, tensorflow.Network(record).variables
    elif isinstance(content, dict) and not nvidia.is_state_dict(content):
        names = {name: name for name in nvidia.NETWORKS} | rosinality.NETWORKS
        beside = {name: value for name, value in content.items() if isinstance(value, Tensor)}
        for theirs, name in names.items():
            if isinstance(value := content.get(theirs), Record) or nvidia.is_state_dict(value):
                yield name, {**nvidia.Module(value).tensors, **(beside if name != "D" else {})}
    else:
        tensors = nvidia.Module(content).tensors
        yield from ((name, tensors) for name in checkpoint.networks)
