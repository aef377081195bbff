"""Generators optimized for inference: the same images in less time, without gradients."""

from stylegan.inference.generator import InferenceGenerator

__all__ = ["InferenceGenerator"]
