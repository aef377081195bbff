"""What we compare with: the same networks and weights in the textbook form.

NCHW, float32, eager; FIR filters by zero-stuffing and a depthwise convolution; one kernel per sample in generation,
activations scaled before and after a shared convolution in training. This is the path that the official code takes
where its CUDA kernels cannot be built, written anew from its description. It is never made faster.
"""
