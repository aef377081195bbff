"""Label maps of drawn faces for the benchmarks: each part in one flat color, drawn again from its attributes."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import dicebear
import dicebear_styles
import resvg_py
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from stylegan.data.samples.make_avatars import CANVAS, CROP, HAIR, SUPERSAMPLING, Face, encode_png
from stylegan.files.archives import add_to_zip
from stylegan.inversion.tasks import one_hot

PARTS = {
    "background": "#ffffff",
    "ink": "#000000",
    "skin": "#ffa040",
    "hair": "#804000",
    "beard": "#ff00ff",
    "glasses": "#0000ff",
    "clothes": "#00c000",
    "hat": "#ff0000",
    "teeth": "#00ffff",
}


def draw_map(face: Face, resolution: int) -> Tensor:
    """Return the label map of a face, uint8 [3, resolution, resolution], whose colors are those of `PARTS`."""
    options = {
        "headVariant": face.hair,
        "headContrastColor": PARTS["hair"],
        "skinColor": PARTS["skin"],
        "expressionVariant": face.face,
        "clothingColor": PARTS["clothes"],
        "maskProbability": 0,
    }
    for part, variant in (("accessories", face.eyewear), ("facialHair", face.facial_hair)):
        options |= {f"{part}Probability": 0 if variant == "none" else 100, f"{part}Variant": variant}
    svg = dicebear.Avatar(_style(), options).to_string().replace(CANVAS, CROP, 1)
    side = resolution * SUPERSAMPLING
    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=side, height=side, background=PARTS["background"], skip_system_fonts=True
    )
    image = Image.open(io.BytesIO(png)).convert("RGB")
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(side, side, 3).movedim(2, 0)
    colors = [(int(x[1:3], 16), int(x[3:5], 16), int(x[5:7], 16)) for x in PARTS.values()]
    most = F.avg_pool2d(one_hot(pixels[None], colors), SUPERSAMPLING)[0].argmax(0)  # the part of most of a pixel
    return torch.tensor(colors, dtype=torch.uint8)[most].movedim(2, 0)


@cache
def _style() -> Any:
    """Open Peeps with a color of its own for each part, where the style inks all of them."""
    definition = json.loads(resources.files(dicebear_styles).joinpath("open-peeps.json").read_text("utf-8"))

    def recolor(paths: list[dict[str, Any]], fill: Any, part: str) -> None:
        for path in paths:
            if path["fill"] == fill:
                path["fill"] = PARTS[part]

    ink, hair = {"type": "color", "name": "ink"}, {"type": "color", "name": "headContrast"}
    clothing = {"type": "color", "name": "clothing"}
    heads, beards, glasses, faces = (
        [
            (name, [path["attributes"] for path in variant["elements"]])
            for name, variant in definition["components"][part]["variants"].items()
        ]
        for part in ("head", "facialHair", "accessories", "expression")
    )
    for name, paths in heads:
        fills = [path["fill"] for path in paths]
        if name in HAIR["hat"]:
            recolor(paths, ink if name == "hatHip" else clothing, "hat")
        elif hair not in fills and name not in HAIR["bald"]:
            recolor(paths, ink, "hair")
    for part, variants in (("beard", beards), ("glasses", glasses)):
        for _, paths in variants:
            for fill in [path["fill"] for path in paths]:
                recolor(paths, fill, part)
    for _, paths in faces:
        recolor(paths, "white", "teeth")
    return dicebear.Style(definition)


def faces_of(zip_file: Path, count: int) -> dict[str, Face]:
    """Return what the first images of a zip of `make_avatars` were drawn from, by file name."""
    with zipfile.ZipFile(zip_file) as archive:
        attributes = json.loads(archive.read("dataset.json"))["attributes"]
    return {name: Face(**attributes[name]) for name in sorted(attributes)[:count]}


def write_pairs(zip_file: Path, count: int, folder: Path, resolution: int) -> tuple[Path, Path]:
    """Write the first images of a zip of `make_avatars`, and their label maps under the same names, into a folder."""
    images, maps = folder / "images.zip", folder / "maps.zip"
    if maps.exists():
        return images, maps
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "partial.zip"
    with zipfile.ZipFile(zip_file) as source, zipfile.ZipFile(images, "w") as some, zipfile.ZipFile(partial, "w") as z:
        for name, face in faces_of(zip_file, count).items():
            add_to_zip(some, name, source.read(name))
            add_to_zip(z, name, encode_png(Image.fromarray(draw_map(face, resolution).movedim(0, 2).numpy())))
    partial.rename(maps)
    return images, maps
