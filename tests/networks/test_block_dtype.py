"""The dtype that a block computes in."""

import pytest
import torch

from stylegan.machine import precision
from stylegan.networks.precision import block_dtype, is_marked
from stylegan.networks.sizes import resolutions

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("policy", precision.PRECISIONS)
@pytest.mark.parametrize("device", [CPU, GPU])
def test_unmarked_blocks_are_float32_under_every_policy(policy, device):
    assert block_dtype(False, policy, device) == torch.float32


@pytest.mark.parametrize(
    ("policy", "device", "dtype"),
    [
        ("fp32", GPU, torch.float32),
        ("bf16", CPU, torch.bfloat16),
        ("fp16", CPU, torch.float16),
        ("auto", CPU, torch.float32),
        ("auto", torch.device("mps"), torch.float32),
        ("auto", GPU, torch.float16),
    ],
)
def test_marked_blocks_follow_the_policy(policy, device, dtype):
    assert block_dtype(True, policy, device) == dtype


@pytest.mark.parametrize(
    ("resolution", "num", "lowest"), [(1024, 4, 128), (256, 4, 32), (32, 4, 8), (32, 20, 8), (64, 1, 64), (16, 2, 8)]
)
def test_the_highest_resolutions_are_marked_but_never_four(resolution, num, lowest):
    marked = [r for r in resolutions(resolution) if is_marked(r, resolution, num)]
    assert (marked[0], marked[-1]) == (lowest, resolution)
    assert not any(is_marked(r, resolution, 0) for r in resolutions(resolution))
