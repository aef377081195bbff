"""Image-to-image: files to inputs of an encoder, and inputs to latents in several styles. Richardson et al. 2021."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from stylegan.errors import ConfigError, DataError
from stylegan.images.read import read_image
from stylegan.inversion.encoder import Encoder, encode
from stylegan.inversion.fit import fit
from stylegan.inversion.target import fitted, read_mask
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.generate import seeds_to_ws
from stylegan.sampling.labels import Label
from stylegan.sampling.latent import Latent, space_of
from stylegan.sampling.mixing import mix_ws, named_styles

FIT_STEPS = 100


class Input(NamedTuple):
    """An input of an encoder, and what was changed in the file to make it."""

    pixels: Tensor  # [1, channels, R, R] in [-1, 1]
    remarks: list[str]  # clauses about the file


def read_input(file: Path | str, encoder: Encoder, G: FamilyGenerator, mask: Path | str | None = None) -> Input:
    """Read the input of an encoder from an image file of any size.

    Its largest centered square is resized to what the encoder takes. A label map keeps its size and its colors.

    Args:
        mask: image that is white where `file` is known, for inpaint.
    Raises: DataError for a file that is not an image, ConfigError for a missing mask or one that is not used.
    """
    settings = encoder.settings
    task, side = settings.task, settings.img_resolution
    if mask is not None and task.name != "inpaint":
        raise ConfigError(f"the task {task.name} takes no mask; leave out `mask`.")
    try:
        image = read_image(Path(file))
    except DataError as error:
        raise DataError(f"{file} cannot be translated: {error}.") from error
    height, width, channels = image.shape
    own = min(height, width) if task.name == "labels" else task.input_px if task.name == "superres" else side
    wanted = task.file_channels or settings.img_channels
    remarks = []
    if (height, width) != (own, own):
        remarks.append(f"it is {width}x{height}; its largest centered square is used at {own}x{own}")
    if channels > wanted:
        remarks.append("its transparency is put on white" if channels == 4 else "its colors are reduced to brightness")
    pixels = fitted(image, own, wanted)[None]
    if task.name == "labels" and (unknown := _unknown(pixels, encoder)):
        remarks.append(f"{unknown:.0%} of it have a color that was not in training; the nearest one is used")
    return Input(task.of_files(pixels, side, None if mask is None else read_mask(mask, G)), remarks)


def _unknown(maps: Tensor, encoder: Encoder) -> float:
    """Return the part of the pixels of label maps, uint8 [N, 3, r, r], whose color the encoder does not know."""
    colors = torch.tensor(encoder.settings.task.colors)
    pixels = maps.movedim(1, 3).reshape(-1, 1, 3).int()
    return 1 - float((pixels == colors).all(2).any(1).float().mean())


def translate(
    G: FamilyGenerator,
    encoder: Encoder,
    inputs: Tensor,
    styles: Sequence[int] = (),
    *,
    layers: Sequence[int] | None = None,
    label: Label | None = None,
    psi: float = 1.0,
    passes: int | None = None,
    steps: int | None = None,
) -> list[list[Latent]]:
    """Return the latents of inputs: that of the encoder, then one with the layers of each style.

    Args:
        inputs: [N, channels, R, R] in [-1, 1].
        styles: seeds.
        layers: that a style controls; None for the fine ones, see `named_styles`.
        label, psi: of the seeds.
        passes: of the encoder; None for as many as in training.
        steps: that fit the image of the encoder to its input, see `fit`; None for 100, or for 0 with the tasks labels
            and pairs, which have no such steps.
    Returns: 1 + len(styles) latents for each of N inputs.
    Raises: ConfigError for another network or a task without such steps, ShapeError for inputs that do not fit.
    """
    found, space = encode(G, encoder, inputs, passes=passes), space_of(G)
    task = encoder.settings.task
    if steps := (0 if task.paired else FIT_STEPS) if steps is None else steps:
        one = encoder.settings.space == "w"
        found = fit(G, found[:, :1] if one else found, task, inputs.to(found), steps=steps)
    chosen = named_styles(G.num_ws)["fine"] if layers is None else layers
    seen = seeds_to_ws(G, styles, label=label, psi=psi) if len(styles) else found[:0]
    return [
        [Latent(ws=w.cpu(), space=space) for w in (ws, *(mix_ws(ws, style, chosen) for style in seen))] for ws in found
    ]
