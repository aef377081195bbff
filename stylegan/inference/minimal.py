"""The synthesis network of the minimal StyleGAN2 for inference: the network itself, compiled on request."""

from __future__ import annotations

from torch import Tensor

from stylegan.inference.synthesis import InferenceSynthesis
from stylegan.networks.generator import NoiseMode
from stylegan.networks.layers import frozen
from stylegan.networks.minimal_gan import Synthesis


class MinimalInferenceSynthesis(InferenceSynthesis):
    """ws -> image, by a copy of the network."""

    def __init__(self, synthesis: Synthesis, precision: str, compile: bool):
        super().__init__(synthesis, precision, compile)
        self.network = frozen(synthesis)

    def prepare_inputs(self, ws: Tensor) -> tuple[Tensor]:
        return (ws,)

    def draw(self, ws: Tensor, *, noise_mode: NoiseMode) -> Tensor:  # type: ignore[override]
        return self.network.draw(ws, noise_mode)
