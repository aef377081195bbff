"""Which dtype a block computes in.

Blocks of high resolution are marked by `num_fp16_res`; the policy says what the mark means. Everything that needs
range or accuracy stays float32 under every policy: mapping, styles, the image, minibatch statistics and logits.
"""

from __future__ import annotations

import torch

from stylegan.machine.precision import DTYPES


def block_dtype(marked: bool, precision: str, device: torch.device) -> torch.dtype:
    """The dtype of a block's activations.

    Args:
        marked: whether the network asks for reduced precision in this block.
        precision: "fp32", "bf16" or "fp16" for the marked blocks; "auto" is fp16 on a GPU and fp32 elsewhere.
    """
    if precision == "auto":
        precision = "fp16" if device.type == "cuda" else "fp32"
    return DTYPES[precision] if marked else torch.float32


def is_marked(resolution: int, img_resolution: int, num_fp16_res: int) -> bool:
    """Whether `resolution` is one of the `num_fp16_res` highest; 4x4 never counts. ADA App. D."""
    return resolution > 4 and resolution * 2**num_fp16_res > img_resolution
