"""Animated WebP written frame by frame, so that the length of a loop takes no memory.

Pillow encodes each frame as a still image, whose data this file copies into the container of an animation.
Source: the WebP Container Specification, sections "Extended File Format" and "Animation".
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

QUALITY, METHOD = 90, 4  # of the lossy encoder: 0 to 100, and its effort, 0 to 6
ANIMATED, WITH_ALPHA = 0x02, 0x10  # flags of the header
REPLACE = 0x02  # flag of a frame: its pixels take the place of the older ones, without blending
IMAGE_DATA = (b"ALPH", b"VP8 ", b"VP8L")


def write_webp(frames: Iterable[Image.Image], path: Path, durations_ms: Iterable[int]) -> None:
    """Write the frames, all of the size of the first, as an endless loop."""
    with path.open("wb") as file:
        file.write(b"RIFF\0\0\0\0WEBP")  # the size follows last
        for k, (frame, duration) in enumerate(zip(frames, durations_ms, strict=False)):
            size = _uint24(frame.width - 1) + _uint24(frame.height - 1)
            if k == 0:
                flags = ANIMATED | (WITH_ALPHA if frame.mode == "RGBA" else 0)
                file.write(_chunk(b"VP8X", struct.pack("<I", flags) + size))
                file.write(_chunk(b"ANIM", struct.pack("<IH", 0, 0)))  # transparent background, endless
            image = b"".join(_chunk(name, data) for name, data in _chunks(_encode(frame)) if name in IMAGE_DATA)
            place = _uint24(0) + _uint24(0)
            file.write(_chunk(b"ANMF", place + size + _uint24(duration) + bytes([REPLACE]) + image))
        end = file.seek(0, io.SEEK_END)
        file.seek(4)
        file.write(struct.pack("<I", end - 8))


def _encode(frame: Image.Image) -> bytes:
    still = io.BytesIO()
    frame.save(still, "WEBP", quality=QUALITY, method=METHOD)
    return still.getvalue()


def _chunks(still: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a still image, each a name of four letters and its content."""
    at = 12
    while at < len(still):
        name, size = struct.unpack_from("<4sI", still, at)
        yield name, still[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _uint24(number: int) -> bytes:
    return number.to_bytes(3, "little")
