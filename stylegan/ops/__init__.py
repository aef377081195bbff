"""Pure tensor functions, one per file: the equations of the papers.

All functions work on any device and float dtype, preserve the channels_last memory format and can be differentiated
twice, as R1 and path length regularization require.
"""

from stylegan.ops.bias_act import bias_act
from stylegan.ops.filter_design import lowpass, radial_lowpass
from stylegan.ops.filtered_lrelu import filtered_lrelu
from stylegan.ops.instance_norm import instance_norm
from stylegan.ops.minibatch_std import minibatch_std
from stylegan.ops.modulated_conv2d import modulated_conv2d
from stylegan.ops.pixel_norm import pixel_norm
from stylegan.ops.resample_conv2d import resample_conv2d
from stylegan.ops.upfirdn2d import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d

__all__ = [
    "bias_act",
    "downsample2d",
    "filter2d",
    "filtered_lrelu",
    "instance_norm",
    "lowpass",
    "minibatch_std",
    "modulated_conv2d",
    "pixel_norm",
    "radial_lowpass",
    "resample_conv2d",
    "setup_filter",
    "upfirdn2d",
    "upsample2d",
]
