"""Bend a network: move, turn, scale, multiply and disturb the feature maps of its layers while it draws.

Network bending, Broad et al. 2021: the weights stay as they are, and an operation is inserted behind a layer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.editing.feature_maps import Layer, layers_of
from stylegan.errors import ConfigError, DataError
from stylegan.files.atomic import write_text
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.latent import Latent, synthesize

FORMAT = 1
MAX_BYTES = 1 << 20  # of a file of bends
MAX_BENDS = 64
MAX_CHANNELS = 4096
BOUNDS = {
    "x": (-4, 4),
    "y": (-4, 4),
    "turn": (-3600, 3600),
    "zoom": (0.01, 100),
    "multiply": (-100, 100),
    "noise": (0, 100),
}


@dataclass(frozen=True, kw_only=True)
class Bend:
    """A change of the feature maps of one layer.

    The maps are shifted, turned and enlarged as images are, with mirrored margins, then multiplied, then disturbed.

    Attributes:
        layer: name in the synthesis network, one of `layers_of`.
        channels: whose maps change; None for all.
        x, y: shift to the right and down, in image widths.
        turn: counter-clockwise, in degrees.
        zoom: factor on the size, from the middle.
        multiply: factor on the values; 0 removes the maps, -1 gives their opposite.
        noise: deviation of Gaussian noise that is added, in deviations of each map.
        seed: of the noise.
    """

    layer: str
    channels: tuple[int, ...] | None = None
    x: float = 0.0
    y: float = 0.0
    turn: float = 0.0
    zoom: float = 1.0
    multiply: float = 1.0
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise ConfigError(f"{name} of a bend is a number from {low} to {high}, got {value!r}.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise ConfigError(f"the seed of a bend is a whole number from 0 to {2**32 - 1}, got {self.seed!r}.")
        if not isinstance(self.layer, str):
            raise ConfigError(f"the layer of a bend is a name, got {type(self.layer).__name__}.")
        if self.channels is not None and not (
            isinstance(self.channels, tuple)
            and 0 < len(self.channels) <= MAX_CHANNELS
            and all(type(channel) is int and channel >= 0 for channel in self.channels)
        ):
            raise ConfigError("the channels of a bend are whole numbers from 0 on, or null for all.")

    def __call__(self, maps: Tensor, extent: float = 1.0) -> Tensor:
        """Return changed maps [N, C, H, W] in the format that they have.

        extent: side of the maps in image widths, which is more than 1 where they reach beyond the image.
        """
        chosen = maps if self.channels is None else maps[:, list(self.channels)]
        values = chosen.to(torch.float32)
        if self.x or self.y or self.turn or self.zoom != 1:
            values = self._moved(values, extent)
        if self.multiply != 1:
            values = values * self.multiply
        if self.noise:
            rng = torch.Generator().manual_seed(self.seed)  # on the CPU: the same on every device, for every image
            noise = torch.randn(values.shape[1:], generator=rng).to(values.device)
            values = values + self.noise * values.std((2, 3), keepdim=True, correction=0) * noise
        values = values.to(maps.dtype)
        if self.channels is None:
            return values
        changed = maps.clone()
        changed[:, list(self.channels)] = values
        return changed

    def _moved(self, maps: Tensor, extent: float) -> Tensor:
        angle = math.radians(self.turn)
        c, s = math.cos(angle) / self.zoom, math.sin(angle) / self.zoom
        x, y = 2 * self.x / extent, 2 * self.y / extent
        # Where each pixel comes from: the shift is undone first, then the turn and the zoom. y points down.
        inverse = torch.tensor([[c, -s, s * y - c * x], [s, c, -s * x - c * y]], device=maps.device)
        grid = F.affine_grid(inverse.expand(len(maps), 2, 3), list(maps.shape), align_corners=False)
        return F.grid_sample(maps, grid, padding_mode="reflection", align_corners=False)


@contextmanager
def bent(G: FamilyGenerator, bends: Sequence[Bend]) -> Iterator[None]:
    """Bend all that a network draws in the block; bends of one layer follow each other.

    G: not prepared for inference, whose layers are fused.
    Raises: ConfigError for a layer or channel that the network does not have.
    """
    known = {layer.name: layer for layer in layers_of(G)} if bends else {}
    for bend in bends:
        layer = _layer(known, bend.layer)
        if bend.channels is not None and max(bend.channels) >= layer.channels:
            raise ConfigError(
                f"the layer {layer.name} has the channels 0-{layer.channels - 1}, got {max(bend.channels)}."
            )
    handles = []
    try:
        for bend in bends:
            module = G.synthesis.get_submodule(bend.layer)
            handles.append(module.register_forward_hook(_hook(bend, known[bend.layer].extent)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(bend: Bend, extent: float) -> Any:
    return lambda module, args, output: bend(output, extent)


def _layer(known: Mapping[str, Layer], name: str) -> Layer:
    if name not in known:
        if not known:
            raise ConfigError("this network has no layer that can be bent; choose one of StyleGAN 1, 2 or 3.")
        raise ConfigError(f"a layer of this network is one of {', '.join(known)}, got {name[:100]!r}.")
    return known[name]


@torch.no_grad()
def feature_images(G: FamilyGenerator, latent: Latent, layer: str, bends: Sequence[Bend] = ()) -> Tensor:
    """Return the feature maps of a layer as gray images, [channels, 1, size, size] uint8.

    Each map has its own scale: its smallest value is black and its largest white. Of StyleGAN3, the part that covers
    the image is shown.

    bends: that are in force, also of the layer itself.
    Raises: ConfigError for a layer that the network does not have.
    """
    shown = _layer({found.name: found for found in layers_of(G)}, layer)
    maps: list[Tensor] = []
    with bent(G, bends):
        handle = G.synthesis.get_submodule(layer).register_forward_hook(lambda _, args, output: maps.append(output))
        try:
            device = next(G.parameters()).device
            noise = {name: value.to(device) for name, value in latent.noise.items()}
            synthesize(G.synthesis, latent.ws[None].to(device), latent.offsets, noise)
        finally:
            handle.remove()
    found = maps[0][0].to(torch.float32)
    inside = slice(shown.margin, shown.margin + shown.size)
    found = found[:, inside, inside].nan_to_num()
    low, high = found.amin((1, 2), keepdim=True), found.amax((1, 2), keepdim=True)
    return ((found - low) / (high - low).clamp(min=1e-12) * 255).round().to(torch.uint8)[:, None].cpu()


def save_bends(bends: Sequence[Bend], file: Path | str) -> None:
    """Write bends as JSON. Raises: OutputError if the file cannot be written."""
    rows = [{**asdict(bend), "channels": None if bend.channels is None else list(bend.channels)} for bend in bends]
    write_text(Path(file), json.dumps({"format": FORMAT, "bends": rows}, indent=2) + "\n")


def load_bends(file: Path | str) -> list[Bend]:
    """Read bends from JSON. Raises: DataError for a file that holds no bends, or a value out of bounds."""
    path = Path(file)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{file} has more than {MAX_BYTES:,} bytes, so it is not a file of bends.")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f"{file} is not a file of bends of the format {FORMAT}; save one in the Bend tab.")
        rows = content["bends"]
        if not isinstance(rows, list) or len(rows) > MAX_BENDS:
            raise DataError(f"{file} needs a list of at most {MAX_BENDS} bends.")
        return [_parsed(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file} is not a file of bends: {type(error).__name__} {error}.") from error
    except ConfigError as error:
        raise DataError(f"{file} is not a file of bends: {error}") from error


def parse_bend(text: str) -> Bend:
    """Parse a bend such as "b8.conv1:turn=20,x=0.1".

    Raises: ConfigError for any other text.
    """
    layer, _, settings = text.partition(":")
    values: dict[str, float | int] = {}
    for part in settings.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            values[name] = int(number) if name == "seed" else float(number)
        except ValueError:
            name = ""
        if name not in (*BOUNDS, "seed"):
            raise ConfigError(
                f"a bend is written like b8.conv1:turn=20,x=0.1 with {', '.join(BOUNDS)} and seed, got {text!r}."
            )
    return Bend(layer=layer.strip(), **values)  # type: ignore[arg-type]


def _parsed(row: Any) -> Bend:
    values = dict(row)
    if isinstance(values.get("channels"), list):
        values["channels"] = tuple(values["channels"])
    return Bend(**values)
