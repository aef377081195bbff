"""Draws the embedded sample data set: aligned avatar faces, each with the attributes that it was drawn from.

    python -m stylegan.data.samples.make_avatars --count 1000 --seed 0 --resolution 64 --dest avatars64.zip

made `avatars64.zip` beside this file; another seed gives as many unseen faces as you like. It needs the extra
`samples`. The drawings are "Open Peeps" by Pablo Stanley, CC0 1.0, as packaged by DiceBear: see LICENCE.md here.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import click
from PIL import Image

from stylegan.errors import ConfigError, MissingExtra, StyleGANError
from stylegan.files.archives import add_to_zip
from stylegan.files.atomic import atomic_file

ORIGIN = "Open Peeps (https://www.openpeeps.com) by Pablo Stanley, drawn by stylegan.data.samples.make_avatars"
LICENCE = "CC0-1.0 (https://creativecommons.org/publicdomain/zero/1.0/)"

# The square of the drawing that becomes the image, in its units: x, y, side. The eyes of every head are at one place.
CANVAS = "0 0 704 704"
CROP = "92 62 580 580"
SUPERSAMPLING = 4  # a pixel is the mean of 4 x 4, so that ink lines thinner than a pixel stay even

# What may be drawn, with weights. Each table is drawn independently of the others: no attribute predicts another,
# so that a direction found for one of them can be judged alone.
LENGTH = {"bald": 12, "short": 34, "medium": 12, "long": 30, "hat": 12}
HAIR = {  # equally likely within a length
    "bald": ["noHair1"],
    "short": ["short1", "short2", "short4", "short5", "shaved2", "flatTop", "pomp", "grayShort", "twists2", "dreads2"],
    "medium": ["afro", "grayBun", "medium1"],
    "long": ["long", "longBangs", "longCurly", "medium2", "medium3", "mediumStraight", "bangs", "bangs2", "grayMedium"],
    "hat": ["hatBeanie", "hatHip", "turban"],
}
FACE = {"smile": 4, "calm": 3, "driven": 2, "smileBig": 4, "explaining": 3, "concernedFear": 2}
FACE |= {"serious": 2, "solemn": 2, "tired": 2, "veryAngry": 2}
EYEWEAR = {"none": 60, "glasses2": 7, "glasses3": 10, "glasses5": 8, "sunglasses": 15}
FACIAL_HAIR = {
    "none": 60,
    "chin": 16,
    "full": 5,
    "full3": 5,
    "moustache5": 6,
    "moustache9": 8,
}
HAIR_COLOUR = {"black": "#000000", "brown": "#5a3320", "red": "#b8452c", "blond": "#e6bd55", "grey": "#a9a9ad"}
SKIN = {"pale": "#ffdbb4", "light": "#edb98a", "tan": "#d39b68", "brown": "#b0703f", "dark": "#85543a"}
CLOTHES = {"blue": "#5a7bd0", "green": "#3fa66b", "yellow": "#f2bb3f", "red": "#d9534a", "white": "#f4f4f4"}
BACKGROUND = {"sky": "#a9d5ee", "mint": "#b5e3c4", "cream": "#f6e7b8", "rose": "#f3bfc6", "lilac": "#cfc3ec"}


@dataclass(frozen=True, kw_only=True)
class Face:
    """All that an image is drawn from: keys of the tables above. `hair` is one head of the style."""

    hair: str
    hair_length: str
    hair_colour: str  # also the beard's, so it is set for bald heads and hats too
    skin: str
    face: str
    eyewear: str
    facial_hair: str
    clothes: str
    background: str


# The yes-or-no attributes: what the label vector of an image holds, in this order. They say what was drawn: a full
# beard or a moustache can hide a closed mouth.
LABELS = {
    "glasses": lambda f: f.eyewear != "none",  # dark ones included
    "sunglasses": lambda f: f.eyewear == "sunglasses",
    "beard": lambda f: f.facial_hair in ("chin", "full", "full3"),
    "moustache": lambda f: f.facial_hair.startswith("moustache"),
    "smile": lambda f: f.face in ("smile", "calm", "driven", "smileBig"),
    "open_mouth": lambda f: f.face in ("smileBig", "explaining", "concernedFear"),
    "long_hair": lambda f: f.hair_length == "long",
    "dark_hair": lambda f: f.hair_length not in ("bald", "hat") and f.hair_colour in ("black", "brown"),
    "bald": lambda f: f.hair_length == "bald",
    "hat": lambda f: f.hair_length == "hat",
}


def draw_face(seed: int, index: int) -> Face:
    """The attributes of image `index` of set `seed`: a pure function of the two."""
    rng = random.Random(f"{seed}/{index}")

    def weighted(table: dict[str, int]) -> str:
        return rng.choices(list(table), list(table.values()))[0]

    length = weighted(LENGTH)
    return Face(
        hair=rng.choice(HAIR[length]),
        hair_length=length,
        hair_colour=rng.choice(list(HAIR_COLOUR)),
        skin=rng.choice(list(SKIN)),
        face=weighted(FACE),
        eyewear=weighted(EYEWEAR),
        facial_hair=weighted(FACIAL_HAIR),
        clothes=rng.choice(list(CLOTHES)),
        background=rng.choice(list(BACKGROUND)),
    )


def draw_image(face: Face, resolution: int) -> Image.Image:
    """An RGB image of `resolution` pixels a side. Raises MissingExtra without the extra `samples`."""
    options = {
        "headVariant": face.hair,
        "headContrastColor": HAIR_COLOUR[face.hair_colour],
        "skinColor": SKIN[face.skin],
        "expressionVariant": face.face,
        "clothingColor": CLOTHES[face.clothes],
        "maskProbability": 0,
    }
    for part, variant in (("accessories", face.eyewear), ("facialHair", face.facial_hair)):
        options |= {f"{part}Probability": 0 if variant == "none" else 100, f"{part}Variant": variant}
    svg = _extra("dicebear").Avatar(_style(), options).to_string().replace(CANVAS, CROP, 1)
    side = resolution * SUPERSAMPLING
    png = _extra("resvg_py").svg_to_bytes(
        svg_string=svg, width=side, height=side, background=BACKGROUND[face.background], skip_system_fonts=True
    )
    return Image.open(io.BytesIO(png)).convert("RGB").reduce(SUPERSAMPLING)


@cache
def _style() -> Any:
    """Open Peeps with hair and beards in color.

    The style inks most hair in one black path with the outline of the head. Here such a path is filled with the
    hair's color and edged in ink, wide enough to keep the outline of the head black.
    """
    dicebear = _extra("dicebear")
    definition = json.loads(resources.files(_extra("dicebear_styles")).joinpath("open-peeps.json").read_text("utf-8"))
    variants = definition["components"]["head"]["variants"] | definition["components"]["facialHair"]["variants"]
    ink, hair = {"type": "color", "name": "ink"}, {"type": "color", "name": "headContrast"}
    for name, variant in variants.items():
        fills = [path["attributes"]["fill"] for path in variant["elements"]]
        if hair in fills or name in ("noHair1", "hatHip", "turban"):
            continue
        for path in variant["elements"]:
            if path["attributes"]["fill"] == ink:
                path["attributes"] |= {"fill": hair, "stroke": ink, "stroke-width": "11"}
    return dicebear.Style(definition)


def _extra(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra(
            f"drawing avatars needs {module}. Install it with: pip install 'stylegan[samples]'"
        ) from error


def encode_png(image: Image.Image) -> bytes:
    """A PNG with no row filter, which for flat drawings is a fifth smaller than Pillow's choice of filters."""
    rows = image.tobytes()
    stride = 3 * image.width
    unfiltered = b"".join(b"\0" + rows[start : start + stride] for start in range(0, len(rows), stride))
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(unfiltered, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def make_avatars(count: int, seed: int, resolution: int, dest: Path) -> None:
    """Write `count` labeled faces as an official-format zip; the same call writes the same bytes.

    Raises: ConfigError for a count or resolution below 1, MissingExtra, OutputError if `dest` cannot be written.
    """
    if count < 1 or resolution < 1:
        raise ConfigError(f"count and resolution must be at least 1, got {count} and {resolution}.")
    faces = {f"{i // 1000:05d}/img{i:08d}.png": draw_face(seed, i) for i in range(count)}
    index = {
        "labels": [[name, [int(is_true(face)) for is_true in LABELS.values()]] for name, face in faces.items()],
        "label_names": list(LABELS),
        "attributes": {name: asdict(face) for name, face in faces.items()},
        "origin": f"{ORIGIN} (seed {seed}); vector art, not photos.",
        "licence": LICENCE,
    }
    with atomic_file(dest) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, face in faces.items():
            add_to_zip(archive, name, encode_png(draw_image(face, resolution)))
        add_to_zip(archive, "dataset.json", json.dumps(index, separators=(",", ":")).encode())


@click.command()
@click.option("--count", type=int, default=1000, show_default=True, help="How many faces.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which faces; the embedded ones are seed 0.")
@click.option("--resolution", type=int, metavar="PX", default=64, show_default=True, help="Pixels per side.")
@click.option("--dest", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The zip to write.")
def main(count: int, seed: int, resolution: int, dest: Path) -> None:
    """Draw labeled avatar faces into a zip data set. Same seed, count and resolution: same images."""
    try:
        make_avatars(count, seed, resolution, dest)
    except StyleGANError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
