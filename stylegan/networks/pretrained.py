"""Trained weights from an installed package into a network that is not trained further."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stylegan.errors import CheckpointError


def load_pretrained(build: Callable[[], nn.Module], file: Path, *, sha256: str, package: str) -> nn.Module:
    """Build a network and load its weights strictly: in eval mode on the CPU, batch norms folded into convolutions.

    Args:
        build: returns the network, whose parameters have the names and shapes of those in the file.
        file: a state dict.
        sha256: of the file, in hexadecimal digits; other weights would give other features.
        package: name and version of the package that has the file, for the message.
    Raises: CheckpointError if the file is not the expected one.
    """
    if (found := hashlib.sha256(file.read_bytes()).hexdigest()) != sha256:
        raise CheckpointError(
            f"{file} has SHA-256 {found[:8]}..., expected {sha256[:8]}...: its features would differ; install "
            f"{package} again."
        )
    with torch.device("meta"):  # no random initialization of weights that are replaced at once
        network = build()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True), assign=True)
    network.eval().requires_grad_(False)
    fold_normalization(network)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def as_constants(network: nn.Module) -> nn.Module:
    """Turn the parameters of a network into buffers that are neither trained nor stored in a checkpoint; return it."""
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach(), persistent=False)
    return network


def fold_normalization(network: nn.Module) -> None:
    """Merge each batch norm into the convolution that comes just before it among the children of a module."""
    for module in list(network.modules()):
        for (conv_name, conv), (norm_name, norm) in pairwise(list(module.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
