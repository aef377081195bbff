"""Generators optimized for inference: the same calls and attributes, with prepared synthesis networks."""

from __future__ import annotations

from typing import Any

import torch

from stylegan.errors import ConfigError
from stylegan.inference.minimal import MinimalInferenceSynthesis
from stylegan.inference.openvino import require_openvino
from stylegan.inference.progan import ProGANInferenceSynthesis
from stylegan.inference.r3gan import R3GANInferenceSynthesis
from stylegan.inference.stylegan1 import StyleGAN1InferenceSynthesis
from stylegan.inference.stylegan2 import StyleGAN2InferenceSynthesis
from stylegan.inference.stylegan3 import StyleGAN3InferenceSynthesis
from stylegan.inference.synthesis import InferenceSynthesis, weights_are_prepared
from stylegan.machine.precision import require_precision
from stylegan.networks import minimal_gan, progan, r3gan, stylegan1, stylegan2, stylegan3
from stylegan.networks.generator import BaseGenerator, FamilyGenerator
from stylegan.networks.layers import frozen

ENGINES = ("torch", "openvino")


class InferenceGenerator(BaseGenerator):
    """A generator optimized for inference; made by `G.for_inference()`.

    It has the calls and attributes of `G`, draws the same images and moves to a device with `.to(device)`. It has no
    gradients, cannot be trained or saved, and keeps the precision and the level of detail that it was made with.
    """

    synthesis: InferenceSynthesis

    def __init__(self, G: FamilyGenerator, precision: str, compile: bool, engine: str = "torch"):
        super().__init__()
        self.z_dim, self.c_dim = G.z_dim, G.c_dim
        self.img_resolution, self.img_channels = G.img_resolution, G.img_channels
        self.class_names, self.label_names = G.class_names, G.label_names
        device = next(G.parameters()).device
        require_precision(G.check_precision(precision), device)
        _check_engine(engine, compile, device)
        self.mapping = frozen(G.mapping)
        if engine == "openvino":
            self.synthesis = _prepared(G, "fp32", False)
            self.synthesis.draw_with_openvino(precision, f"{type(G).__module__} {G.settings}")
        else:
            self.synthesis = _prepared(G, precision, compile)
        self.eval()

    @property
    def precision(self) -> str:
        """The precision that the weights were prepared for: "auto", "fp32", "bf16" or "fp16"."""
        return self.synthesis.precision

    @precision.setter
    def precision(self, value: str) -> None:
        self.for_inference(value, self.synthesis.compile_requested, self.synthesis.engine)

    def load_state_dict(self, *_: Any, **__: Any) -> Any:
        """Raises: CheckpointError, because the weights are stored in a form that depends on the settings."""
        raise weights_are_prepared()

    def for_inference(
        self, precision: str = "fp32", compile: bool = False, engine: str = "torch"
    ) -> InferenceGenerator:
        """Return this generator.

        Raises: ConfigError for another precision or engine, or to compile one that is not compiled.
        """
        prepared = self.synthesis
        if engine != prepared.engine:
            raise ConfigError(
                f"this generator was prepared for the engine {prepared.engine}, got {engine!r}; call for_inference of "
                "the network that it was made from."
            )
        if precision != prepared.precision or (compile and not prepared.compile_requested):
            raise ConfigError(
                f"this generator was prepared for precision {prepared.precision} and compile "
                f"{prepared.compile_requested}, got {precision!r} and {compile}; call for_inference of the network "
                "that it was made from."
            )
        return self


def _check_engine(engine: str, compile: bool, device: torch.device) -> None:
    """Raises: ConfigError for an engine that is unknown or cannot do this, MissingExtra for one that is missing."""
    if engine not in ENGINES:
        raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}.")
    if engine == "openvino":
        if compile:
            raise ConfigError("the engine openvino compiles by itself; set `compile` to false, or `engine` to torch.")
        if device.type != "cpu":
            raise ConfigError(f"the engine openvino draws on a CPU, got a network on {device}; set `device` to cpu.")
        require_openvino()


def _prepared(G: FamilyGenerator, precision: str, compile: bool) -> InferenceSynthesis:
    """The inference form of the synthesis network of any generation."""
    if isinstance(G, progan.Generator):
        return ProGANInferenceSynthesis(G.synthesis, precision, compile)
    if isinstance(G, stylegan1.Generator):
        return StyleGAN1InferenceSynthesis(G.synthesis, precision, compile)
    if isinstance(G, stylegan2.Generator):
        return StyleGAN2InferenceSynthesis(G.synthesis, precision, compile)
    if isinstance(G, stylegan3.Generator):
        return StyleGAN3InferenceSynthesis(G.synthesis, precision, compile)
    if isinstance(G, minimal_gan.Generator):
        return MinimalInferenceSynthesis(G.synthesis, precision, compile)
    if isinstance(G, r3gan.Generator):
        return R3GANInferenceSynthesis(G.synthesis, precision, compile)
    raise ConfigError(f"no form for inference is known for {type(G).__module__}.{type(G).__name__}.")
