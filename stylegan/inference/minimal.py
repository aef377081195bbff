"""The synthesis network of the minimal StyleGAN2 for inference: the network itself, compiled on request."""

from __future__ import annotations

import copy

from stylegan.machine.compile import compile_or_eager
from stylegan.networks.minimal_gan import Synthesis


def prepared(synthesis: Synthesis, compile: bool) -> Synthesis:
    """A copy of `synthesis` without gradients; `compile` as in `FamilyGenerator.for_inference`."""
    synthesis = copy.deepcopy(synthesis).requires_grad_(False)
    if compile:
        synthesis.forward = compile_or_eager(synthesis.forward)  # type: ignore[method-assign]
    return synthesis
