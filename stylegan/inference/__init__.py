"""Networks made fast: forms of the generators that draw the same images in less time, without gradients."""

from stylegan.inference.generator import InferenceGenerator

__all__ = ["InferenceGenerator"]
