"""Inputs of an encoder: the image itself, or what is left of it for image-to-image, such as its edges.

The input of a task is made from images of the network or of a data set; at use, a file takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import ConfigError, DataError
from stylegan.images.pixels import to_float
from stylegan.inversion.target import REC_601

PAIRED = ("labels", "pairs")  # tasks whose inputs are files beside the images
TASKS = ("image", "sketch", "gray", "superres", "inpaint", *PAIRED)
CONTRAST = 0.4  # of two neighbors, in pixels from -1 to 1, from which there is an edge between them
SLOPE = 0.1  # of that contrast, in which an edge comes into being where gradients are needed
HOLES = 3  # rectangles that are cut out of an image at most
HOLE_SIDE = (0.2, 0.5)  # of them, relative to the side of the image
MOST_COLORS = 64  # of a label map

Color = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Input of an encoder, and how it is made.

    Attributes:
        name: one of `TASKS`.
        input_px: pixels per side of the input of superres.
        colors: of the label maps of labels, each a class.
        input_channels: of the files of pairs, 1 or 3.
    """

    name: str = "image"
    input_px: int = 8
    colors: tuple[Color, ...] = ()
    input_channels: int = 3

    def __post_init__(self) -> None:
        if self.name not in TASKS:
            raise ConfigError(f"`task` is one of {', '.join(TASKS)}, got {self.name!r}.")
        if self.input_px < 1:
            raise ConfigError(f"`input_px` must be at least 1, got {self.input_px}.")

    @property
    def paired(self) -> bool:
        """True if the inputs are files beside the images, and cannot be made from images."""
        return self.name in PAIRED

    @property
    def file_channels(self) -> int | None:
        """Channels of a file that takes the place of the input; None for those of the network."""
        return {"sketch": 1, "gray": 1, "labels": 3, "pairs": self.input_channels}.get(self.name)

    def channels(self, img_channels: int) -> int:
        """Return the channels of the input for a network of `img_channels`."""
        special = {"sketch": 1, "gray": 1, "inpaint": img_channels + 1, "labels": len(self.colors)}
        return special.get(self.name, self.input_channels if self.paired else img_channels)

    def of_images(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Make inputs from images [N, C, R, R] in [-1, 1]: [N, channels, R, R] in [-1, 1].

        Args:
            generator: of the random holes of inpaint, on the CPU.
        Raises: ConfigError for a task whose inputs are files.
        """
        if self.paired:
            raise ConfigError(f"the inputs of the task {self.name} are files; give them as `inputs`, beside `data`.")
        if self.name == "sketch":
            return sketch(images)
        if self.name == "gray":
            return gray(images)
        if self.name == "superres":
            return self._enlarged(
                F.interpolate(images, self.input_px, mode="bicubic", antialias=True), images.shape[-1]
            )
        if self.name == "inpaint":
            return masked(images, random_masks(len(images), images.shape[-1], generator).to(images.device))
        return images

    def of_files(self, pixels: Tensor, resolution: int, mask: Tensor | None = None) -> Tensor:
        """Make inputs from files, uint8 [N, C, r, r], as `of_images` makes them from images.

        Args:
            pixels: of `file_channels`; of superres, `input_px` per side.
            resolution: R of the network.
            mask: [N or 1, 1, R, R], 1 where the image is known; required by inpaint alone.
        Raises: ConfigError without the mask of inpaint.
        """
        if self.name == "labels":
            return F.interpolate(one_hot(pixels, self.colors), resolution, mode="nearest-exact")
        images = to_float(pixels)
        if self.name == "superres":
            return self._enlarged(images, resolution)
        if images.shape[-1] != resolution:
            images = F.interpolate(images, resolution, mode="bicubic", antialias=True).clamp(-1, 1)
        if self.name == "inpaint":
            if mask is None:
                raise ConfigError("the task inpaint needs to know what is missing; give a `mask`.")
            return masked(images, mask.to(images))
        return images

    def difference(self, images: Tensor, inputs: Tensor) -> Tensor:
        """Return how far the inputs that images would give are from given inputs, [N], 0 for equal ones.

        It is the mean squared difference, of inpaint where the image is known; of sketch, the part of the edges that
        is not shared (1 - IoU), with a slope in place of the threshold. Images receive gradients.

        Args:
            images: [N, C, R, R] in [-1, 1].
            inputs: [N, channels, R, R] in [-1, 1].
        Raises: ConfigError for a task whose inputs are files.
        """
        if self.name == "sketch":
            edges, wanted = torch.sigmoid((_contrast(images) - CONTRAST) / SLOPE), (inputs < 0).to(images)
            shared = (edges * wanted).sum([1, 2, 3])
            return 1 - shared / (edges.sum([1, 2, 3]) + wanted.sum([1, 2, 3]) - shared)
        if self.name == "inpaint":
            known, mask = inputs[:, :-1], (inputs[:, -1:] + 1) / 2
            squares = (images - known).square().mean(1, keepdim=True) * mask
            return squares.sum([1, 2, 3]) / mask.sum([1, 2, 3]).clamp(min=1)
        return (self.of_images(images) - inputs).square().mean([1, 2, 3])

    def _enlarged(self, small: Tensor, resolution: int) -> Tensor:
        return F.interpolate(small.clamp(-1, 1), resolution, mode="bicubic").clamp(-1, 1)


def sketch(images: Tensor) -> Tensor:
    """Return the edges of images as black lines on white, [N, C, R, R] -> [N, 1, R, R] of -1 and 1.

    A pixel is on an edge if it differs from its neighbor to the right or below by `CONTRAST` in any channel.
    """
    return 1 - 2 * (_contrast(images) > CONTRAST).to(images)


def _contrast(images: Tensor) -> Tensor:
    """Return the largest difference of each pixel from its neighbor to the right or below, [N, 1, R, R]."""
    right = (images - F.pad(images, (0, 1, 0, 0), mode="replicate")[..., 1:]).abs()
    below = (images - F.pad(images, (0, 0, 0, 1), mode="replicate")[..., 1:, :]).abs()
    return torch.maximum(right, below).amax(1, keepdim=True)


def gray(images: Tensor) -> Tensor:
    """Return the brightness of images by the weights of Rec. 601, [N, 1 or 3, R, R] -> [N, 1, R, R]."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(REC_601, device=images.device).view(3, 1, 1)
    return (images[:, :3] * weights).sum(1, keepdim=True)


def random_masks(n: int, resolution: int, generator: torch.Generator | None = None) -> Tensor:
    """Return masks with one to `HOLES` rectangular holes, [n, 1, R, R] with 1 where the image is known."""
    masks = torch.ones(n, 1, resolution, resolution)
    least, most = HOLE_SIDE
    for mask in masks:
        for _ in range(int(torch.randint(1, HOLES + 1, (), generator=generator))):
            draw = torch.rand(4, generator=generator)
            height, width = (max(1, round(float(least + (most - least) * x) * resolution)) for x in draw[:2])
            top, left = int(draw[2] * (resolution - height + 1)), int(draw[3] * (resolution - width + 1))
            mask[:, top : top + height, left : left + width] = 0
    return masks


def masked(images: Tensor, masks: Tensor) -> Tensor:
    """Return images that are gray where they are unknown, followed by the mask in [-1, 1] as a channel."""
    return torch.cat([images * masks, 2 * masks.expand(len(images), -1, -1, -1) - 1], 1)


def colors_of(maps: Tensor) -> tuple[Color, ...]:
    """Return the sorted colors of label maps, uint8 [N, 3, r, r].

    Raises: DataError for more than `MOST_COLORS`, as in a photo or a map that was smoothed.
    """
    found = torch.unique(maps.movedim(1, 3).reshape(-1, 3), dim=0)
    if len(found) > MOST_COLORS:
        raise DataError(
            f"label maps have at most {MOST_COLORS} colors, got {len(found)}; save them as PNG, without smoothing."
        )
    return tuple((int(r), int(g), int(b)) for r, g, b in found)


def one_hot(maps: Tensor, colors: Sequence[Color]) -> Tensor:
    """Return label maps, uint8 [N, 3, r, r], as one channel of -1 and 1 for each color, [N, colors, r, r].

    A pixel of another color counts as the nearest one.
    """
    palette = torch.tensor(colors, dtype=torch.float32, device=maps.device)
    pixels = maps.movedim(1, 3).float()
    nearest = torch.cdist(pixels.flatten(0, 2), palette).argmin(1).view(pixels.shape[:3])
    return 2 * F.one_hot(nearest, len(colors)).movedim(3, 1).float() - 1
