"""Odd and bad images, made when the tests run: what `prepare` must take, and what it must leave out and why."""

from __future__ import annotations

import io
import os
import socket
import struct
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

NOT_A_IMAGE = "it is empty, damaged or not one of"
BROKEN = "it cannot be read"
BOMB = "it has .*more than the limit"


class Case(NamedTuple):
    name: str
    make: bytes | Callable[[Path], object]  # the content, or what makes the file at a path
    reason: str | None = None  # start of why it is left out, a regular expression; None if it is used


def cases() -> list[Case]:
    """All of them, by name."""
    groups = (
        truncated, png_kinds, tiff_kinds, other_modes, orientations, animations, bombs, disguises, names, links,
        png_damage, zero_sizes, odd_shapes, profiles_and_texts,
    )  # fmt: skip
    made = [Case(f"{group.__name__}/{case.name}", *case[1:]) for group in groups for case in group()]
    assert len({case.name for case in made}) == len(made)
    return made


def write(root: Path, made: list[Case]) -> None:
    """Make the files below `root`; what is outside of it goes to a folder beside it."""
    (root.parent / "outside").mkdir()
    photo().save(root.parent / "outside/photo.png")
    for case in made:
        path = root / case.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(case.make, bytes):
            path.write_bytes(case.make)
        else:
            case.make(path)


def photo(mode: str = "RGB", width: int = 48, height: int = 48) -> Image.Image:
    """Noise, which no format compresses to nothing."""
    noise = np.random.RandomState(1).randint(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(noise).convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


# PNG by hand: Pillow writes neither interlaced nor 16-bit color PNGs


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, *, depth: int = 8, color: int = 2, interlace: int = 0, before: bytes = b"",
    data: bytes | None = None, end: bytes = chunk(b"IEND", b""),
) -> bytes:  # fmt: skip
    """A PNG of color type `color` whose samples all have the upper half of their bits set."""
    header = chunk(b"IHDR", struct.pack(">II5B", width, height, depth, color, 0, 0, interlace))
    palette = chunk(b"PLTE", bytes(range(48)) * 16) if color == 3 else b""
    if data is None:
        data = zlib.compress(b"".join(_png_passes(width, height, depth * _SAMPLES[color], interlace)))
    return b"\x89PNG\r\n\x1a\n" + header + palette + before + chunk(b"IDAT", data) + end


_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def _png_passes(width: int, height: int, bits: int, interlace: int) -> Iterator[bytes]:
    for x, y, dx, dy in _ADAM7 if interlace else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // dx), -(-(height - y) // dy)
        if columns > 0 and rows > 0:
            yield (b"\0" + b"\xf0" * -(-columns * bits // 8)) * rows


def png_kinds() -> Iterator[Case]:
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for color, allowed in depths.items():
        for depth in allowed:
            for interlace in (0, 1):
                content = png(16, 16, depth=depth, color=color, interlace=interlace)
                yield Case(f"color{color}_{depth}bit_interlace{interlace}.png", content)
    yield Case("palette_transparency.png", png(16, 16, color=3, before=chunk(b"tRNS", bytes(range(256)))))
    yield Case("gray_transparent_value.png", png(16, 16, color=0, before=chunk(b"tRNS", b"\0\xf0")))
    yield Case("gray16_transparent_value.png", png(16, 16, depth=16, color=0, before=chunk(b"tRNS", b"\xf0\xf0")))
    yield Case("rgb_transparent_value.png", png(16, 16, before=chunk(b"tRNS", b"\0\xf0\0\xf0\0\xf0")))


# TIFF by hand: Pillow writes no 12-bit, 16-bit color or white-is-zero TIFFs


def tiff(width: int, height: int, bits: tuple[int, ...], photometric: int, data: bytes, *, order: str = "<") -> bytes:
    """An uncompressed TIFF of one strip."""
    extra = struct.pack(f"{order}{len(bits)}H", *bits)  # more than two samples do not fit the tag itself
    start = 8 + 2 + 9 * 12 + 4
    samples = len(bits)
    tags = [
        (256, "I", 1, width), (257, "I", 1, height), (258, *(("I", 3, start) if samples > 1 else ("H", 1, bits[0]))),
        (259, "H", 1, 1), (262, "H", 1, photometric), (273, "I", 1, start + len(extra)), (277, "H", 1, samples),
        (278, "I", 1, height), (279, "I", 1, len(data)),
    ]  # fmt: skip
    entries = b"".join(
        struct.pack(order + "HHI", tag, 3 if tag == 258 or kind == "H" else 4, count)
        + struct.pack(order + kind, value).ljust(4, b"\0")
        for tag, kind, count, value in tags
    )
    magic = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return magic + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0) + extra + data


def tiff_kinds() -> Iterator[Case]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "LAB", "YCbCr", "I;16"):
        yield Case(f"{mode.replace(';', '')}.tif", _tiff_of(mode))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4", "zstd"):
        image = photo("1" if compression == "group4" else "RGB")
        yield Case(f"{compression}.tif", encoded(image, "TIFF", compression=compression))
    for order, name in (("<", "little"), (">", "big")):
        deep = np.full(16 * 16 * 3, 0x8080, f"{order}u2").tobytes()
        yield Case(f"rgb16_{name}_endian.tiff", tiff(16, 16, (16, 16, 16), 2, deep, order=order))
        yield Case(f"gray16_{name}_endian.tiff", tiff(16, 16, (16,), 1, deep[: 16 * 16 * 2], order=order))
    yield Case("gray16_white_is_zero.tif", tiff(16, 16, (16,), 0, bytes(512)))
    yield Case("gray12.tif", tiff(16, 16, (12,), 1, b"\xff" * 384))
    yield Case("big_tiff.tif", encoded(photo(), "TIFF", big_tiff=True))
    yield Case("float.tif", encoded(Image.new("F", (16, 16)), "TIFF"), "it holds floating-point pixels")
    deep_gray = Image.fromarray(np.full((16, 16), 1 << 20, np.int32))
    yield Case("int32.tif", encoded(deep_gray, "TIFF"), "it holds 32-bit pixels")
    yield Case("ifd_beyond_the_end.tif", b"II*\0" + struct.pack("<I", 1 << 30), NOT_A_IMAGE)
    yield Case("strip_beyond_the_end.tif", tiff(16, 16, (8,), 1, b"")[:-1] + b"\0", BROKEN)


def _tiff_of(mode: str) -> bytes:
    if mode == "LAB":
        lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        return encoded(ImageCms.applyTransform(photo(), lab), "TIFF")
    if mode == "I;16":
        return encoded(Image.fromarray(np.full((16, 16), 40000, np.uint16)), "TIFF")
    return encoded(photo(mode), "TIFF")


def other_modes() -> Iterator[Case]:
    for mode in ("L", "RGB", "CMYK"):
        yield Case(f"{mode}.jpg", encoded(photo(mode), "JPEG"))
        yield Case(f"{mode}_progressive.jpeg", encoded(photo(mode), "JPEG", progressive=True))
    ycck = encoded(photo("CMYK"), "JPEG").replace(
        b"\xff\xee\0\x0eAdobe\0d\0\0\0\0\0", b"\xff\xee\0\x0eAdobe\0d\0\0\0\0\2"
    )
    yield Case("ycck.jpg", ycck)
    yield Case("gray_subsampled.jfif", encoded(photo("L"), "JPEG", quality=1))
    yield Case("restart_markers.jpe", encoded(photo(), "JPEG", restart_marker_blocks=1))
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield Case(f"{mode}.bmp", encoded(photo(mode), "BMP"))
    yield Case("top_down.bmp", _top_down_bmp())
    for mode in ("L", "P", "RGB"):
        yield Case(f"{mode}.gif", encoded(photo(mode), "GIF"))
    yield Case("transparent.gif", encoded(photo("P"), "GIF", transparency=3))
    for mode in ("RGB", "RGBA"):
        yield Case(f"{mode}_lossless.webp", encoded(photo(mode), "WEBP", lossless=True))
        yield Case(f"{mode}_lossy.webp", encoded(photo(mode), "WEBP"))
    for mode in ("L", "LA", "RGB", "RGBA"):
        yield Case(f"{mode}.jp2", encoded(photo(mode), "JPEG2000"))
    yield Case("bitmap.pbm", encoded(photo("1"), "PPM"))
    yield Case("gray.pgm", encoded(photo("L"), "PPM"))
    yield Case("gray16.pgm", b"P5 16 16 65535\n" + b"\x80\x80" * 256)
    yield Case("gray10.pgm", b"P5 16 16 1023\n" + b"\x01\xff" * 256)
    yield Case("rgb16.ppm", b"P6 16 16 65535\n" + b"\x80\x80" * 768)
    yield Case("text.ppm", b"P3 # a comment\n16 16 255\n" + b"10 20 30\n" * 256)
    yield Case("any.pnm", encoded(photo(), "PPM"))


def _top_down_bmp() -> bytes:
    content = bytearray(encoded(photo(), "BMP"))
    content[22:26] = struct.pack("<i", -48)
    return bytes(content)


# the same image in a state that a copy or a download left behind


def truncated() -> Iterator[Case]:
    kinds = {
        "png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "tif": "TIFF", "jp2": "JPEG2000",
        "ppm": "PPM",
    }  # fmt: skip
    for extension, kind in kinds.items():
        content = encoded(photo(), kind)
        for percent in (0, 1, 25, 50, 75, 90):
            cut = content[: len(content) * percent // 100]
            yield Case(f"{percent:02d}percent.{extension}", cut, NOT_A_IMAGE if not cut else "it ")
        yield Case(f"zeros_instead.{extension}", bytes(len(content)), NOT_A_IMAGE)


# orientation: all eight show the same scene


SCENE = np.zeros((32, 32, 3), np.uint8)
SCENE[:16, :16] = (250, 0, 0)
SCENE[:16, 16:] = (0, 250, 0)
SCENE[16:, :16] = (0, 0, 250)
SCENE[16:, 16:] = (250, 250, 250)

# orientation -> how the upright scene is stored
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def orientations() -> Iterator[Case]:
    for number, turn in STORED.items():
        stored = Image.fromarray(np.ascontiguousarray(turn(SCENE)))
        exif = Image.Exif()
        exif[0x0112] = number
        yield Case(f"{number}.jpg", encoded(stored, "JPEG", quality=98, subsampling=0, exif=exif))
        yield Case(f"{number}.png", encoded(stored, "PNG", exif=exif))
        yield Case(f"{number}.webp", encoded(stored, "WEBP", lossless=True, exif=exif.tobytes()))
        yield Case(f"{number}.tif", encoded(stored, "TIFF", tiffinfo={274: number}))
    for number in (0, 9, 60000):
        exif = Image.Exif()
        exif[0x0112] = number
        yield Case(f"unknown{number}.jpg", encoded(photo(), "JPEG", exif=exif))
    for name, content in (
        ("empty", b"Exif\0\0"),
        ("no_tiff", b"Exif\0\0hello"),
        ("cut", b"Exif\0\0II*\0\x08\0\0\0\xff"),
    ):
        yield Case(f"exif_{name}.jpg", encoded(photo(), "JPEG", exif=content))


def animations() -> Iterator[Case]:
    same = [photo(), Image.new("RGB", (48, 48), "blue")]
    for kind, extension in (("GIF", "gif"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif")):
        yield Case(f"two.{extension}", encoded(same[0], kind, save_all=True, append_images=same[1:]))
    mixed = [photo(), photo(width=16, height=64)]
    yield Case("mixed.tif", encoded(mixed[0], "TIFF", save_all=True, append_images=mixed[1:]))
    yield Case("two.jpg", encoded(same[0], "MPO", save_all=True, append_images=same[1:]))
    yield Case("default_image.png", encoded(same[0], "PNG", save_all=True, append_images=same, default_image=True))
    content = bytearray(encoded(photo("P"), "GIF"))
    frame = content.index(b"\x2c\0\0\0\0")
    content[frame + 1 : frame + 5] = struct.pack("<HH", 40, 40)
    yield Case("frame_beyond_the_screen.gif", bytes(content))
    cut = encoded(same[0], "GIF", save_all=True, append_images=[photo("L")])
    yield Case("second_frame_cut.gif", cut[:-900])


# little files that ask for much memory


def bombs() -> Iterator[Case]:
    for side in (9500, 20000, 60000, (1 << 31) - 1):
        yield Case(f"{side}.png", png(side, side, data=b""), BOMB)
    yield Case("one_row_of_many.png", png((1 << 31) - 1, 1, data=b""), BOMB)
    screen = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0"
    yield Case("screen.gif", screen + b"\x2c" + struct.pack("<4H", 0, 0, 65535, 65535) + b"\0\x08\0;", BOMB)
    small = b"GIF89a" + struct.pack("<HH", 16, 16) + b"\0\0\0"
    yield Case("frame.gif", small + b"\x2c" + struct.pack("<4H", 0, 0, 65535, 65535) + b"\0\x08\0;", BOMB)
    bmp = bytearray(encoded(photo("L"), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    yield Case("size.bmp", bytes(bmp), BOMB)
    jpeg = bytearray(encoded(photo(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg[frame : frame + 4] = b"\xff" * 4
    yield Case("size.jpg", bytes(jpeg), BOMB)
    yield Case("size.tif", tiff(100_000, 100_000, (8,), 1, b"\0" * 99), BOMB)
    yield Case("size.ppm", b"P6 100000 100000 255\n" + bytes(99), BOMB)
    yield Case("digits.ppm", b"P6 " + b"9" * 5000 + b" 1 255\n", BROKEN)
    jp2 = bytearray(encoded(photo(), "JPEG2000"))
    at = jp2.index(b"ihdr") + 4
    jp2[at : at + 8] = struct.pack(">II", 100_000, 100_000)
    yield Case("size.jp2", bytes(jp2), BOMB)
    webp = b"VP8L" + struct.pack("<I", 6) + b"\x2f" + struct.pack("<I", 16383 | 16383 << 14) + b"\0"
    yield Case("size.webp", b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp, "it ")
    yield Case("canvas.webp", _webp_canvas(16384), BOMB)
    zeros = zlib.compress(bytes(100 << 20), 9)
    yield Case("pixels_beyond_the_last.png", png(16, 16, color=0, data=zeros))
    for kind, body in ((b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0")):
        yield Case(f"{kind.decode()}.png", png(16, 16, before=chunk(kind, body + zeros)), BROKEN)
    yield Case("iccp.png", png(16, 16, before=chunk(b"iCCP", b"k\0\0" + zeros)), BROKEN)
    texts = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1000 << 10), 9)) * 80
    yield Case("many_texts.png", png(16, 16, before=texts), BROKEN)
    for extension, start in (
        ("webp", b"RIFF\xff\xff\xff\x7fWEBPVP8L"), ("png", png(16, 16)[:40]), ("bmp", b"BM"),
        ("jp2", b"\0\0\0\x0cjP  \r\n\x87\n"), ("tif", b"II*\0\x08\0\0\0"), ("gif", b"GIF89a"),
    ):  # fmt: skip
        yield Case(f"sparse.{extension}", lambda path, start=start: _sparse(path, start), BOMB)


def large() -> bytes:
    """A PNG of nearly as many transparent pixels as are taken, in half a megabyte."""
    side = 9400
    pack = zlib.compressobj(9)
    row = b"\0" + b"\x10\x20\x30\x80" * side
    data = b"".join([*(pack.compress(row) for _ in range(side)), pack.flush()])
    return png(side, side, color=6, data=data)


def _webp_canvas(side: int) -> bytes:
    """An animation of one little frame on a huge canvas."""
    frame = encoded(photo(), "WEBP", lossless=True)[12:]
    size = (side - 1).to_bytes(3, "little")
    head = b"VP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + size + size
    anim = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    body = bytes(6) + (47).to_bytes(3, "little") * 2 + bytes(3) + b"\0" + frame
    anmf = b"ANMF" + struct.pack("<I", len(body)) + body
    content = b"WEBP" + head + anim + anmf
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _sparse(path: Path, start: bytes) -> None:
    with path.open("wb") as file:
        file.write(start)
        file.truncate(20 << 30)  # takes no room


# names that say something else than the content


def disguises() -> Iterator[Case]:
    for name, kind in (
        ("png.jpg", "PNG"), ("jpeg.png", "JPEG"), ("gif.png", "GIF"), ("webp.jpg", "WEBP"), ("bmp.png", "BMP"),
        ("tiff.jpg", "TIFF"), ("png.webp", "PNG"), ("jpeg.bmp", "JPEG"),
    ):  # fmt: skip
        yield Case(name, encoded(photo(), kind))
    yield Case("CAPITALS.PNG", encoded(photo(), "PNG"))
    yield Case("Mixed.JpEg", encoded(photo(), "JPEG"))
    for extension in ("png", "jpg", "gif", "bmp", "webp", "tiff", "jp2", "ppm"):
        yield Case(f"empty.{extension}", b"", NOT_A_IMAGE)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)
    for name, content in {
        "text.png": b"hello\n",
        "page.jpg": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "svg.png": svg,
        "icon.png": encoded(photo(), "ICO"),
        "eps.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
        "pdf.jpg": encoded(photo(), "PDF"),
        "targa.png": encoded(photo(), "TGA"),
        "zip.png": b"PK\3\4" + bytes(26),
        "gzip.png": b"\x1f\x8b\x08" + bytes(20),
        "program.png": b"\x7fELF" + bytes(60),
        "pickle.png": b"cos\nsystem\n(S'true'\ntR.",
        "resource_fork.png": b"\0\5\x16\7" + bytes(78),
    }.items():
        yield Case(name, content, NOT_A_IMAGE)
    yield Case("no_extension", encoded(photo(), "PNG"), "it is not an image")
    for name, content, reason in (
        ("drawing.svg", svg, "it is a drawing or a document; convert it to PNG"),
        ("movie.mp4", heic, "it is a video; save its frames"),
        ("set.zip", b"PK\5\6" + bytes(18), "it is an archive; give it as the source itself"),
    ):
        yield Case(name, content, reason)
    for name, content, form in (
        ("heic.jpg", heic, "HEIC"), ("avif.png", encoded(photo(), "AVIF"), "AVIF"), ("phone.heic", heic, "HEIC"),
        ("photo.avif", encoded(photo(), "AVIF"), "AVIF"), ("raw.cr2", encoded(photo(), "TIFF"), "camera raw"),
    ):  # fmt: skip
        yield Case(name, content, f"its format {form} is not read; convert it to PNG or JPEG")
    yield Case("inner/dataset.json", b"[" * 100_000, "only a dataset.json beside the outermost")
    yield Case("train-images-idx3-ubyte", b"\0\0\x08\3" + bytes(12), "it is an IDX file")


def names() -> Iterator[Case]:
    content = encoded(photo(), "PNG")
    plain = [
        "spaces in it.png", " leading space.png", "-rf.png", "--help.png", "line\nbreak.png", "tab\tstop.png",
        "bell\a.png", "escape\x1b[2J\x1b[31m.png", "quote'\".png", "$(touch pwned).png", "`touch pwned`.png",
        "; touch pwned;.png", "back\\slash.png", "..\\..\\up.png", "star*?.png", "[bold]markup[/bold].png", "%s%n.png",
        "{braces}.png", "null.png", "CON.png", "a..png", "~.png", "%2e%2e%2fup.png", "Ünï çödé.png",
        "日本語.png", "😀👩‍👩‍👧.png", "\u202egnp.right_to_left.png", "zero\u200bwidth.png", "UPPER.png", "upper.png",
        "x" * 251 + ".png", "é" * 125 + ".png", "deep/" * 30 + "x.png",
    ]  # fmt: skip
    yield from (Case(name, content) for name in plain)
    for form in ("NFC", "NFD"):
        yield Case(unicodedata.normalize(form, "twin é.png"), content)
    yield Case(os.fsdecode(b"latin1 \xe9.png"), content)
    yield Case(os.fsdecode(b"broken utf-8 \xf0\x9f.png"), b"x", NOT_A_IMAGE)
    for name in ("trailing space.png ", "...png"):
        yield Case(name, content, "it is not an image")


def links() -> Iterator[Case]:
    yield Case("to_a_file_outside.png", lambda path: path.symlink_to("../../outside/photo.png"))
    yield Case("to_a_folder_outside", lambda path: path.symlink_to("../../outside"))
    yield Case("hard.png", lambda path: os.link(path.parents[2] / "outside/photo.png", path))
    yield Case("to_itself.png", lambda path: path.symlink_to(path.name), "it cannot be opened")
    yield Case("dangling.png", lambda path: path.symlink_to("nowhere.png"), "it cannot be opened")
    yield Case("dangling_absolute.png", lambda path: path.symlink_to("/nowhere/at/all.png"), "it cannot be opened")
    yield Case("loop_up", lambda path: path.symlink_to(".."))
    yield Case("loop_here", lambda path: path.symlink_to("."))
    yield Case("ring_a", lambda path: path.symlink_to("ring_b"), "it cannot be opened")
    yield Case("ring_b", lambda path: path.symlink_to("ring_a"), "it cannot be opened")
    yield Case("zeros_for_ever.png", lambda path: path.symlink_to("/dev/zero"), "it is a device or a pipe")
    yield Case("nothing.png", lambda path: path.symlink_to("/dev/null"), "it is a device or a pipe")
    yield Case("to_text.png", lambda path: path.symlink_to("/etc/passwd"), NOT_A_IMAGE)
    yield Case("pipe.png", os.mkfifo, "it is a device or a pipe")
    yield Case("socket.png", _socket, "it is a device or a pipe")
    yield Case("folder.png", lambda path: path.mkdir())
    yield Case("folder.jpg/inside.png", encoded(photo(), "PNG"))
    if os.geteuid():  # root may read everything
        yield Case("secret.png", lambda path: (path.write_bytes(b"x"), path.chmod(0)), BROKEN)


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket may have about 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(path.name)
    finally:
        os.chdir(here)


NO_FILES = {"links/to_a_folder_outside", "links/loop_up", "links/loop_here", "links/folder.png"}  # are not images
FOUND_THROUGH_LINKS = {"links/to_a_folder_outside/photo.png"}


def png_damage() -> Iterator[Case]:
    good = png(16, 16)
    for kind in (b"IHDR", b"IDAT"):
        at = good.index(kind) + 4 + struct.unpack(">I", good[good.index(kind) - 4 : good.index(kind)])[0]
        wrong = good[:at] + bytes([good[at] ^ 255]) + good[at + 1 :]
        yield Case(f"crc_{kind.decode()}.png", wrong, "it ")
    raw = b"".join(_png_passes(16, 16, 24, 0))
    yield Case("no_end.png", png(16, 16, end=b""), BROKEN)
    yield Case("bytes_after_the_end.png", good + b"\0" * 1000)
    yield Case("a_zip_after_the_end.png", good + b"PK\3\4" + bytes(100))
    yield Case("no_pixels.png", png(16, 16, data=b""), BROKEN)
    yield Case("half_the_pixels.png", png(16, 16, data=zlib.compress(raw[: len(raw) // 2])))  # black below
    yield Case("no_zlib.png", png(16, 16, data=b"hello"), BROKEN)
    yield Case("unknown_filter.png", png(16, 16, data=zlib.compress(b"\x09" + raw[1:])), "it ")
    yield Case("unknown_color.png", png(16, 16, data=b"").replace(b"\x08\2\0\0\0", b"\x08\5\0\0\0"), "it ")
    yield Case("no_palette.png", good.replace(b"\x08\2\0\0\0", b"\x08\3\0\0\0"), "it ")
    yield Case("huge_chunk.png", good[:33] + b"\x7f\xff\xff\xffIDAT", "it ")
    yield Case("two_headers.png", good[:33] + good[8:])
    yield Case("text_before_the_header.png", good[:8] + chunk(b"tEXt", b"k\0v") + good[8:])


def zero_sizes() -> Iterator[Case]:
    for width, height in ((0, 16), (16, 0), (0, 0)):
        size = f"{width}x{height}"
        yield Case(f"{size}.png", png(width, height, data=b""), "it ")
        gif = b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0"
        yield Case(f"{size}.gif", gif + b"\x2c" + struct.pack("<4H", 0, 0, width, height) + b"\0\2\0;", "it ")
        yield Case(f"{size}.tif", tiff(width, height, (8,), 1, b""), "it ")
        yield Case(f"{size}.ppm", b"P6 %d %d 255\n" % (width, height), "it ")
        bmp = bytearray(encoded(photo("L"), "BMP"))
        bmp[18:26] = struct.pack("<ii", width, height)
        yield Case(f"{size}.bmp", bytes(bmp), "it ")
        jpeg = bytearray(encoded(photo(), "JPEG"))
        at = jpeg.index(b"\xff\xc0") + 5
        jpeg[at : at + 4] = struct.pack(">HH", height, width)
        yield Case(f"{size}.jpg", bytes(jpeg), "it ")


def odd_shapes() -> Iterator[Case]:
    for width, height in ((1, 1), (2, 3), (1, 30_000), (30_000, 1), (7, 4_000), (15, 17)):
        yield Case(f"{width}x{height}.png", png(width, height))
    yield Case("one.gif", encoded(Image.new("P", (1, 1)), "GIF"))
    yield Case("thin.jpg", encoded(photo(width=1, height=9_000), "JPEG"))


def profiles_and_texts() -> Iterator[Case]:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, profile in (
        ("good", srgb),
        ("cut", srgb[:100]),
        ("nonsense", b"hello" * 40),
        ("gray", srgb[:16] + b"GRAY"),
    ):
        yield Case(f"icc_{name}.jpg", encoded(photo(), "JPEG", icc_profile=profile))
        yield Case(f"icc_{name}.png", encoded(photo(), "PNG", icc_profile=profile))
        yield Case(f"icc_{name}.webp", encoded(photo(), "WEBP", icc_profile=profile))
    yield Case("icc_no_zlib.png", png(16, 16, before=chunk(b"iCCP", b"k\0\0hello")))
    yield Case("comment.jpg", encoded(photo(), "JPEG", comment=b"x" * 60_000))
    yield Case("text.png", png(16, 16, before=chunk(b"tEXt", b"k\0" + b"v" * 500_000)))
    yield Case("no_keyword.png", png(16, 16, before=chunk(b"tEXt", b"")))
    yield Case("many_little_chunks.png", png(16, 16, before=chunk(b"teSt", b"x") * 20_000))
    yield Case("gamma.png", png(16, 16, before=chunk(b"gAMA", struct.pack(">I", 100_000))))
    yield Case("short_gamma.png", png(16, 16, before=chunk(b"gAMA", b"\0")), "it ")
