"""What the generators of ProGAN and StyleGAN1 share: they grow by `lod`."""

from __future__ import annotations

from torch import Tensor

from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.growing_inference import GrowingInferenceSynthesis
from stylegan.networks.inference import InferenceGenerator


class GrowingGenerator(FamilyGenerator):
    """A generator whose synthesis network draws at the resolution that its level of detail says."""

    @property
    def lod(self) -> Tensor:
        return self.synthesis.lod

    def for_inference(self, precision: str = "fp32", compile: bool = False) -> InferenceGenerator:
        """A copy made for speed: the same three calls and attributes, no gradients, at the present `lod`.

        Args:
            precision: "fp32"; "bf16" from 8x8 on; "fp16" in the blocks marked by `num_fp16_res`; or "auto".
            compile: fuse what lies between two convolutions with `torch.compile`, which takes up to a minute at the
                first call for each batch size.
        Raises: ConfigError for an unknown precision, or an activation other than lrelu.
        """
        return InferenceGenerator(self, precision, compile, GrowingInferenceSynthesis)
