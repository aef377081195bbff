"""Textbook form of the networks, with the same weights: the baseline of all benchmarks.

NCHW, float32, eager; FIR filters by zero-stuffing and a depthwise convolution; one kernel per sample in generation,
activations scaled before and after a shared convolution in training. The official code computes this way where its
CUDA kernels cannot be built; this version was written from a description. It is never optimized.
"""
