"""Generators made for speed: the same three calls and attributes, with prepared synthesis networks."""

from __future__ import annotations

import copy

from torch import nn

from stylegan.inference import minimal
from stylegan.inference.growing import GrowingInferenceSynthesis
from stylegan.inference.stylegan2 import InferenceSynthesis
from stylegan.inference.stylegan3 import AliasFreeInferenceSynthesis
from stylegan.machine.precision import require_precision
from stylegan.networks import growing_synthesis, minimal_gan, stylegan2, stylegan3
from stylegan.networks.generator import FamilyGenerator


class InferenceGenerator(FamilyGenerator):
    """A generator made for speed, see `FamilyGenerator.for_inference`."""

    def __init__(self, G: FamilyGenerator, precision: str, compile: bool):
        super().__init__(G.args)
        self.class_names, self.label_names = G.class_names, G.label_names
        self.mapping = copy.deepcopy(G.mapping).eval().requires_grad_(False)
        require_precision(G.check_precision(precision), next(G.parameters()).device)
        self.synthesis = _prepared(G.synthesis, precision, compile).eval()


def _prepared(synthesis: nn.Module, precision: str, compile: bool) -> nn.Module:
    """The inference form of the synthesis network of any generation."""
    if isinstance(synthesis, stylegan2.SynthesisNetwork):
        return InferenceSynthesis(synthesis, precision, compile)
    if isinstance(synthesis, stylegan3.SynthesisNetwork):
        return AliasFreeInferenceSynthesis(synthesis, precision, compile)
    if isinstance(synthesis, growing_synthesis.SynthesisNetwork):
        return GrowingInferenceSynthesis(synthesis, precision, compile)
    assert isinstance(synthesis, minimal_gan.Synthesis)
    return minimal.prepared(synthesis, compile)
