"""Feature networks in TorchScript files, such as the Inception and VGG16 networks of the official tools.

Loading such a file runs no Python, but its own code: a program of PyTorch operations, which can also read and write
files. Open only files from a source that you trust; every score records their SHA-256.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import CheckpointError, ConfigError, ShapeError
from stylegan.files.checksums import sha256_of
from stylegan.machine.surroundings import ordinary_torch

PROBE = 64  # pixels per side of the black image that a network is tried with, if it takes any size
Range = tuple[float, float]
RANGE: Range = (0.0, 255.0)  # of the pixels that a network takes, if it does not say otherwise


def network_name(path: Path | str) -> str:
    """Return the end of the names of its scores: the name of the file and the first digits of its SHA-256.

    Raises: CheckpointError if the file cannot be read.
    """
    try:
        return with_digits(path, sha256_of(Path(path)))
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); give the file of a feature network."
        ) from error


def with_digits(path: Path | str, sha256: str) -> str:
    """Return the `network_name` of a file with this SHA-256."""
    return f"{re.sub(r'[^a-z0-9]', '', Path(path).stem.lower()) or 'network'}_{sha256[:8]}"


def is_network_name(name: str) -> bool:
    """Return whether `network_name` can have given a name."""
    return re.fullmatch(r"[a-z0-9]+_[0-9a-f]{8}", name) is not None


class TorchScriptNetwork:
    """A network in a TorchScript file, as feature network, as classifier and as perceptual distance.

    A network whose `forward` takes the arguments of the official files is called with them: `return_features`, else
    `no_output_bias` for classes, and `return_lpips` for a distance. Any other network returns features.

    Args:
        path: a local file, loaded by `torch.jit.load`.
        resize: "none" passes images on as they are, since the official files resize them; "legacy:N" resizes to NxN as
            TensorFlow 1 did, bilinear from the corner and without antialiasing; "clean:N" bicubic and antialiased.
        value_range: of the pixels that the network takes.
    Raises: CheckpointError for a file that is no TorchScript, ConfigError for an invalid resize, or a network that
        does not return one row of features for each image.
    """

    def __init__(
        self,
        path: Path | str,
        device: torch.device | str = "cpu",
        *,
        resize: str = "none",
        value_range: Range = RANGE,
    ):
        self._how, self._side = parse_resize(resize)
        self._range, self._device = value_range, torch.device(device)
        self.name, self.sha256 = network_name(path), sha256_of(Path(path))
        self.resize = f"{resize}, {value_range[0]:g} to {value_range[1]:g}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of the format, which the official files have
                self._network: Any = torch.jit.load(str(path), map_location=self._device).eval()
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not a TorchScript file ({str(error).strip().splitlines()[0][:80]}); save the network with "
                "torch.jit.save."
            ) from error
        self._arguments = {argument.name for argument in self._network.forward.schema.arguments}
        side = self._side or PROBE
        probe = torch.zeros(2, 3, side, side, dtype=torch.uint8)
        self.feature_dim = self._width(self(probe), "features")
        official = "no_output_bias" in self._arguments
        self.classes = self._width(self.probabilities(probe), "probabilities") if official else 0

    def _width(self, output: Any, what: str) -> int:
        if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != 2:
            got = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ConfigError(
                f"the feature network {self.name} must return {what} [N, F] for N images, got {got} for 2."
            )
        return output.shape[1]

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] -> features [N, feature_dim] float32"""
        options = {"return_features": True} if "return_features" in self._arguments else {}
        return self._run(self._prepared(images), options)

    def probabilities(self, images: Tensor) -> Tensor:
        """uint8 [N, 1 or 3, H, W] -> class probabilities [N, classes], without the bias of the last layer."""
        p = self._run(self._prepared(images), {"no_output_bias": True})
        are_probabilities = bool((p >= 0).all()) and bool(((p.sum(1) - 1).abs() < 1e-3).all())
        return p if are_probabilities else p.softmax(1)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Return LPIPS of images [N, 1 or 3, H, W] in [-1, 1], [N]. Raises: ConfigError if the network has none."""
        if "return_lpips" not in self._arguments:
            raise ConfigError(
                f"the network {self.name} has no perceptual distance; use the VGG16 of the official tools."
            )
        options = {"resize_images": False, "return_lpips": True}
        first, second = (self._run(((x + 1) * 127.5).expand(-1, 3, -1, -1), options) for x in (a, b))
        return (first - second).square().sum(1)

    @ordinary_torch(gradients=False)
    def _run(self, x: Tensor, options: dict[str, bool]) -> Any:
        try:
            output = self._network(x, **options)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1][:120]
            raise ConfigError(
                f"the feature network {self.name} does not take images {list(x.shape)} ({reason}); choose another "
                "`feature_resize`."
            ) from error
        return output.flatten(1).float() if isinstance(output, Tensor) and output.ndim in (2, 4) else output

    @ordinary_torch(gradients=False)
    def _prepared(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != torch.uint8:
            raise ShapeError(
                f"{self.name} takes uint8 images [N, 1 or 3, H, W], got {images.dtype} {list(images.shape)}."
            )
        x = images.to(self._device).float().expand(-1, 3, -1, -1)
        if self._how == "legacy":
            x = resize_legacy(x, self._side)
        elif self._how == "clean":
            x = F.interpolate(x, (self._side, self._side), mode="bicubic", antialias=True).clamp(0, 255)
        low, high = self._range
        return x * ((high - low) / 255) + low


class Lpips:
    """The perceptual distance of a TorchScript network."""

    def __init__(self, network: TorchScriptNetwork):
        self.name, self.resize, self.sha256 = network.name, "none", network.sha256
        self._network = network

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Images [N, 1 or 3, H, W] in [-1, 1] -> [N]"""
        return self._network.distance(a, b)


def parse_resize(text: str) -> tuple[str, int]:
    """ "legacy:299" -> ("legacy", 299), "none" -> ("none", 0). Raises: ConfigError for anything else."""
    match = re.fullmatch(r"(legacy|clean):([1-9][0-9]{0,3})|none", text)
    if match is None:
        raise ConfigError(f"`feature_resize` must be none, legacy:PX or clean:PX, such as clean:299, got {text!r}.")
    return (match[1], int(match[2])) if match[1] else ("none", 0)


def resize_legacy(x: Tensor, side: int) -> Tensor:
    """Resize [N, C, H, W] to side x side as TensorFlow 1 did: pixel j shows position j * W / side, bilinearly."""
    h, w = x.shape[2:]
    theta = torch.tensor([[1, 0, 1 / w - 1 / side], [0, 1, 1 / h - 1 / side]], dtype=x.dtype, device=x.device)
    grid = F.affine_grid(theta.expand(len(x), -1, -1), [len(x), x.shape[1], side, side], align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
