"""A network that a session has opened, and what is known about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylegan.checkpoints.layout import DRAWS
from stylegan.checkpoints.native import checkpoint_folder, read_config
from stylegan.checkpoints.open import drawing_generator, read
from stylegan.editing.direction_file import FILE, load_directions
from stylegan.editing.directions import Direction
from stylegan.editing.feature_maps import layers_of
from stylegan.errors import CheckpointError, ConfigError
from stylegan.machine.surroundings import one_thread
from stylegan.networks.family import architecture_of
from stylegan.networks.summary import layer_rows
from stylegan.sampling.class_center import ClassCentered
from stylegan.sampling.generate import draw_batch, require_finite
from stylegan.sampling.mixing import named_styles
from stylegan.sampling.recording import Draw, recorded_draw
from stylegan.sampling.transform import inverse_transform, transform_of

SMALL_PX = 128  # side of images that one thread draws


def facts(source: Path | str) -> dict[str, Any]:
    """Return what a checkpoint says about itself; values are None if it does not, or if its weights had to be read."""
    try:
        config = read_config(checkpoint_folder(source))
    except CheckpointError:
        config = {}
    return {
        "architecture": config.get("architecture"),
        "resolution": config.get("generator", {}).get("img_resolution"),
        "classes": config.get("generator", {}).get("c_dim"),
        "draws": config.get(DRAWS),
        "origin": config.get("origin"),
        "licence": config.get("licence"),
    }


class OpenedNetwork:
    """A generator and its form for inference, on the device of the session."""

    def __init__(self, source: Path | str, device: torch.device, precision: str):
        checkpoint = read(source, to_draw=True)
        self.source, self.licence, self.origin = source, checkpoint.licence, checkpoint.origin
        # As it was trained: for latents with changed layers or noise, and copied by jobs, which run while others draw.
        self.G = drawing_generator(checkpoint, source).to(device)
        require_finite(self.G)
        self.fast = self.G.for_inference(precision)
        self._recorded: dict[str, Draw | None] = {}  # by noise mode

    def draw(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        """Return the images of ws [N, num_ws, w_dim] in one batch, [N, C, H, W] uint8 on the CPU; for one thread.

        Small images are drawn from a recording, which leaves Python to the threads that answer requests.
        Raises: NonFiniteError as `draw_batch`.
        """
        if noise_mode not in self._recorded:
            fits = self._is_small and ws.device.type == "cpu" and noise_mode != "random" and not self.can_move
            self._recorded[noise_mode] = recorded_draw(self.fast, ws[0], noise_mode=noise_mode) if fits else None
        draw = self._recorded[noise_mode]
        return draw_batch(self.fast, list(ws), noise_mode=noise_mode) if draw is None else draw(ws)

    @cached_property
    def centered(self) -> ClassCentered:
        """Truncates towards the average of each class. Raises: ConfigError for a network without labels."""
        return ClassCentered(self.fast)

    @cached_property
    def exactly_centered(self) -> ClassCentered:
        """Truncates in the same way, with `G`."""
        return ClassCentered(self.G)

    def towards(self, center: str, exact: bool = False) -> Any:
        """Return the generator that truncates towards the "global" average or that of the "class".

        exact: take the network as it was trained rather than its form for inference.
        """
        if center == "class":
            return self.exactly_centered if exact else self.centered
        return self.G if exact else self.fast

    @cached_property
    def directions(self) -> dict[str, Direction]:
        """The directions that come with the network, by name. Raises: DataError, ConfigError for a damaged file."""
        try:
            file = checkpoint_folder(self.source) / FILE
        except CheckpointError:  # a file of another tool
            return {}
        return load_directions(file, self.G) if file.is_file() else {}

    @property
    def can_move(self) -> bool:
        """True if the images can be shifted and rotated."""
        try:
            transform_of(self.fast)
        except ConfigError:
            return False
        return True

    def threads(self) -> AbstractContextManager[None]:
        """Compute small images with one thread in the block.

        Others gain little there, and where the browser needs a core, each of many short operations waits for the thread
        on it: of 64 px images on two busy cores, the median was 31 ms with one thread and 310 ms with two.
        """
        return one_thread() if self._is_small else nullcontext()

    @property
    def _is_small(self) -> bool:
        return self.G.img_resolution <= SMALL_PX

    @contextmanager
    def moved(self, translate: tuple[float, float], rotate: float, G: Any = None) -> Iterator[None]:
        """Shift and rotate all images that are drawn in the block. Raises: ConfigError for any but a StyleGAN3.

        G: the network that draws; None for the form for inference.
        """
        if not any((*translate, rotate)):
            yield
            return
        transform = transform_of(G or self.fast)
        before = transform.clone()
        try:
            transform.copy_(inverse_transform(*translate, rotate))
            yield
        finally:
            transform.copy_(before)

    def layers(self) -> list[dict[str, Any]]:
        """Return a row for each layer, as shown for one image. The first call also loads PyTorch's compiler."""
        rows = layer_rows(self.G, torch.empty(1, self.G.z_dim), torch.empty(1, self.G.c_dim))
        return [
            {"name": row.name, "parameters": row.parameters, "buffers": row.buffers, "shape": row.shape[1:]}
            for row in rows
        ]

    def card(self) -> dict[str, Any]:
        """Return the facts and the text of the model card."""
        G = self.G
        return {
            **facts(self.source),
            "licence": self.licence,
            "origin": self.origin,
            "architecture": architecture_of(G),
            "resolution": G.img_resolution,
            "channels": G.img_channels,
            "classes": G.c_dim,
            "z_dim": G.z_dim,
            "w_dim": G.w_dim,
            "num_ws": G.num_ws,
            "styles": {name: [layers.start, layers.stop] for name, layers in named_styles(G.num_ws).items()},
            "class_names": G.class_names,
            "label_names": G.label_names,
            "has_noise": G.synthesis.has_noise,
            "can_move": self.can_move,
            "bendable": [{"name": x.name, "channels": x.channels, "size": x.size} for x in layers_of(G)],
            "parameters": sum(parameter.numel() for parameter in G.parameters()),
            "text": self._text(),
        }

    def _text(self) -> str:
        try:
            return (checkpoint_folder(self.source) / "README.md").read_text(encoding="utf-8")[:100_000]
        except (OSError, UnicodeDecodeError, CheckpointError):
            return ""
