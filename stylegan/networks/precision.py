"""The dtype that a block computes in.

`num_fp16_res` marks the blocks of the highest resolutions, and the precision chooses their dtype. Everything that needs
range or accuracy is float32 in every precision: mapping, styles, the image, minibatch statistics and logits. In a
network converted to float64, float64 takes the place of float32.
"""

from __future__ import annotations

import torch

from stylegan.machine.precision import DTYPES


def block_dtype(marked: bool, precision: str, device: torch.device, own: torch.dtype = torch.float32) -> torch.dtype:
    """Return the dtype of a block's activations.

    Args:
        marked: whether the block may run in reduced precision.
        precision: "fp32", "bf16" or "fp16" for the marked blocks; "auto" is fp16 on a GPU and fp32 elsewhere.
        own: format of the unmarked blocks, float32 or float64.
    """
    if precision == "auto":
        precision = "fp16" if device.type == "cuda" and own == torch.float32 else "fp32"
    return DTYPES[precision] if marked and precision != "fp32" else own


def is_marked(resolution: int, img_resolution: int, num_fp16_res: int) -> bool:
    """Return whether `resolution` is one of the `num_fp16_res` highest; 4x4 is never marked. ADA App. D."""
    return resolution > 4 and resolution * 2**num_fp16_res > img_resolution
