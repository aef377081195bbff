"""Archives with false contents, made when the tests run: what `prepare` must make of each."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from hostile_images import NOT_A_IMAGE, encoded, photo

SHARED = "it shares its bytes with another entry"
UNPACK = "it cannot be unpacked"
TOO_MUCH = "it unpacks from .* which is too much"


class Case(NamedTuple):
    name: str
    content: bytes
    used: int = 1  # images in the set made of it
    left_out: Mapping[str, str] = MappingProxyType({})  # name -> start of the reason, a regular expression
    error: str | None = None  # instead of a set


PNG = encoded(photo(width=16, height=16), "PNG")
Edit = Callable[[zipfile.ZipInfo], object]


def archive(*entries: tuple[str, bytes], method: int = zipfile.ZIP_STORED, edit: Edit | None = None) -> bytes:
    """A zip; `edit` may change what the list of files at its end says, but not the entries themselves."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in entries:
            file.writestr(zipfile.ZipInfo(name), content, method)
        if edit:
            for info in file.infolist():
                edit(info)
    return out.getvalue()


def entry(name: str, *, mode: int = 0, content: bytes = PNG) -> bytes:
    """A zip of one entry of a kind, and one good image."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.create_system = 3
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(info, content)
        file.writestr("good.png", PNG)
    return out.getvalue()


def cases() -> list[Case]:
    """All of them."""
    groups = (names, kinds, bombs, damage, sizes, labels, not_zips)
    return [case for group in groups for case in group()]


def names() -> Iterator[Case]:
    for number, name in enumerate(
        ("../../evil.png", "/evil.png", "C:\\evil.png", "..\\..\\evil.png", "a/../../../evil.png", "./evil.png")
    ):
        yield Case(f"traversal{number}.zip", archive((name, PNG), ("good.png", PNG)), used=2)
    nul = archive(("aXb.png", PNG), ("good.png", PNG)).replace(b"aXb.png", b"a\0b.png")
    yield Case("nul.zip", nul, left_out={"a": "it is not an image"})
    yield Case("long.zip", archive(("d/" * 30_000 + "x.png", PNG)))
    latin1 = archive(("aXb.png", PNG)).replace(b"aXb.png", b"a\xe9b.png")
    yield Case("latin1.zip", latin1)
    wrong = archive(("aéb.png", PNG)).replace("aéb".encode(), b"a\xff\xffb")
    yield Case("broken_utf8.zip", wrong, error="damaged zip .* download it again")
    yield Case("empty_name.zip", archive(("", PNG), ("good.png", PNG)), left_out={"": "it is not an image"})
    twice = "the zip holds this name more than once; the last one is used"
    yield Case("duplicates.zip", archive(*[("a.png", PNG)] * 2), left_out={"a.png": twice})
    yield Case("two_slashes.zip", archive(("a\\b.png", PNG), ("a/b.png", PNG)), left_out={"a/b.png": twice})


def kinds() -> Iterator[Case]:
    link = entry("link.png", mode=stat.S_IFLNK | 0o777, content=b"/etc/passwd")
    yield Case("symlink.zip", link, left_out={"link.png": NOT_A_IMAGE})
    yield Case(
        "link_to_folder.zip", entry("out", mode=stat.S_IFLNK | 0o777, content=b"/"), left_out={"out": "it is not"}
    )
    yield Case(
        "device.zip", entry("zero.png", mode=stat.S_IFCHR | 0o666, content=b""), left_out={"zero.png": NOT_A_IMAGE}
    )
    yield Case("setuid.zip", entry("root.png", mode=stat.S_IFREG | 0o6777), used=2)
    yield Case("folder.zip", archive(("folder.png/", b""), ("folder.png/a.png", PNG)))
    inner = archive(("a.png", PNG))
    yield Case(
        "nested.zip",
        archive(("inner.zip", inner), ("a.png", PNG)),
        left_out={"inner.zip": "it is an archive"},
    )
    yield Case("nested_as_image.zip", archive(("b.png", inner), ("a.png", PNG)), left_out={"b.png": NOT_A_IMAGE})
    encrypted = archive(("a.png", PNG), ("b.png", PNG), edit=_encrypt_a)
    yield Case("encrypted.zip", encrypted, left_out={"a.png": UNPACK})
    unknown = archive(("a.png", PNG), ("b.png", PNG), edit=_unknown_method_a)
    yield Case("unknown_method.zip", unknown, left_out={"a.png": UNPACK})


def _encrypt_a(info: zipfile.ZipInfo) -> None:
    info.flag_bits |= info.filename == "a.png"


def _unknown_method_a(info: zipfile.ZipInfo) -> None:
    if info.filename == "a.png":
        info.compress_type = 97


def bombs() -> Iterator[Case]:
    zeros = bytes(65 << 20)
    good = ("good.png", PNG)
    for method, name in ((zipfile.ZIP_DEFLATED, "deflate"), (zipfile.ZIP_BZIP2, "bzip2")):
        content = archive(("bomb.png", zeros), good, method=method)
        yield Case(f"{name}.zip", content, left_out={"bomb.png": TOO_MUCH})
    start = archive(("small.webp", b"RIFF\0\0\0\4WEBPVP8L" + zeros[: 60 << 20]), good, method=zipfile.ZIP_DEFLATED)
    yield Case("below_the_limit.zip", start, left_out={"small.webp": "it "})
    inner = archive(("bomb.png", zeros), method=zipfile.ZIP_DEFLATED)
    yield Case(
        "matryoshka.zip", archive(("x.zip", archive(("y.zip", inner))), good), left_out={"x.zip": "it is an archive"}
    )
    yield _overlapping()
    many = archive(*((f"{i}.txt", b"") for i in range(40_000)), good)
    yield Case("many.zip", many, left_out={f"{i}.txt": "it is not an image" for i in range(40_000)})


def _overlapping() -> Case:
    """A thousand names for one stretch of bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("good.png", PNG)
        file.writestr("kernel.png", bytes(50 << 20))
        kernel = file.infolist()[1]
        for i in range(1000):
            twin = zipfile.ZipInfo(f"{i}.png")
            for field in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(twin, field, getattr(kernel, field))
            file.filelist.append(twin)
    left_out = {f"{i}.png": SHARED for i in range(999)} | {"kernel.png": SHARED, "999.png": UNPACK}
    return Case("overlapping.zip", out.getvalue(), left_out=left_out)


def damage() -> Iterator[Case]:
    good = archive(("a.png", PNG), ("b.png", PNG))
    pixels = bytearray(good)
    pixels[good.index(b"IDAT") + 20] ^= 1
    yield Case("wrong_crc.zip", bytes(pixels), left_out={"a.png": UNPACK})
    gone = "truncated or not a zip"
    for percent in (0, 10, 50, 99):
        yield Case(f"cut_at_{percent}.zip", good[: len(good) * percent // 100], error=gone)
    yield Case("central_signature.zip", good.replace(b"PK\1\2", b"PK\1\3"), error="damaged zip|cannot be opened")
    yield Case("local_signature.zip", good.replace(b"PK\3\4", b"PK\3\5", 1), left_out={"a.png": UNPACK})
    yield Case("zeros_inside.zip", good[:40] + bytes(200) + good[240:], left_out={"a.png": UNPACK})
    renamed = good.replace(b"a.png", b"c.png", 1)  # the entry and the list of files disagree
    yield Case("two_names.zip", renamed, left_out={"a.png": UNPACK})
    yield Case("junk_before.zip", b"#!/bin/sh\nexit 1\n" + good, used=2)
    yield Case("image_before.zip", PNG + good, used=2)
    end = good.index(b"PK\5\6")
    yield Case("comment.zip", good[: end + 20] + struct.pack("<H", 65_000) + b"PK\5\6" * 16_250, error=".*")
    yield Case("spanned.zip", good[: end + 4] + struct.pack("<HH", 7, 7) + good[end + 8 :], used=2)
    yield Case("empty.zip", good[end : end + 4] + bytes(18), error="is empty; give a folder")
    yield Case("only_text.zip", archive(("a.txt", b"x")), error="holds no usable image: its only file was left out")


def sizes() -> Iterator[Case]:
    def lying(field: str, value: int) -> bytes:
        def edit(info: zipfile.ZipInfo) -> None:
            if info.filename == "a.png":
                setattr(info, field, value)

        return archive(("a.png", PNG), ("b.png", PNG), edit=edit)

    yield Case("says_less.zip", lying("file_size", 100), left_out={"a.png": "it "})
    yield Case("says_more.zip", lying("file_size", 1 << 31), left_out={"a.png": TOO_MUCH})
    yield Case("zip64_size.zip", lying("file_size", 1 << 62), left_out={"a.png": TOO_MUCH})
    yield Case("packed_beyond_the_end.zip", lying("compress_size", 1 << 30), left_out={"a.png": SHARED})
    yield Case("zip64_packed.zip", lying("compress_size", 1 << 62), left_out={"a.png": SHARED})
    yield Case("zip64_offset.zip", lying("header_offset", 1 << 62), left_out={"a.png": SHARED})
    yield Case("packed_into_the_next.zip", lying("compress_size", len(PNG) + 50), left_out={"a.png": SHARED})
    good = archive(("a.png", PNG))
    end = good.index(b"PK\5\6")
    yield Case(
        "size_of_list.zip", good[: end + 12] + b"\xff\xff\xff\x7f" + good[end + 16 :], error="cannot be opened|damaged"
    )
    yield Case("offset_of_list.zip", good[: end + 16] + b"\xff\xff\xff\x7f" + good[end + 20 :], error=".*")


def labels() -> Iterator[Case]:
    def labeled(content: bytes, **kwargs: int) -> bytes:
        return archive(("a.png", PNG), ("dataset.json", content), **kwargs)

    yield Case(
        "json_bomb.zip",
        labeled(b" " * (65 << 20), method=zipfile.ZIP_DEFLATED),
        error="dataset.json .* which is too much",
    )
    yield Case("json_deep.zip", labeled(b"[" * 200_000), error="is not JSON")
    yield Case("json_invalid.zip", labeled(b'{"labels": [['), error="is not JSON")
    yield Case("json_binary.zip", labeled(bytes(range(256))), error="is not JSON")
    yield Case("json_list.zip", labeled(b"[1, 2]"), error="expected an object")
    yield Case("json_digits.zip", labeled(b'{"labels": [["a.png", ' + b"9" * 9999 + b"]]}"), error="is not JSON")
    yield Case("json_infinite.zip", labeled(b'{"labels": [["a.png", [1e999]]]}'), error="expected a class number")
    yield Case(
        "json_contradicts.zip", labeled(b'{"labels": [["a.png", 1], ["a.png", 2]]}'), error="two labels, 1 and 2"
    )
    yield Case("json_outside.zip", labeled(b'{"labels": [["../../etc/passwd", 1], ["a.png", 0]]}'))
    two = archive(("a.png", PNG), ("dataset.json", b"["), ("dataset.json", b'{"labels": null}'))
    yield Case("json_twice.zip", two, left_out={"dataset.json": "the zip holds this name more than once"})


def not_zips() -> Iterator[Case]:
    idx = struct.pack(">4B3I", 0, 0, 8, 3, 100_000, 100, 100)
    yield Case("bomb-idx3-ubyte.gz", gzip.compress(idx + bytes(65 << 20)), error="it has .* bytes and declares")
    yield Case("false-idx3-ubyte", idx, error="is damaged")
    yield Case("overflow-idx3-ubyte", struct.pack(">4B3I", 0, 0, 8, 3, *[(1 << 32) - 1] * 3), error="is damaged")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, kind in (
            ("../../evil.png", tarfile.REGTYPE),
            ("link.png", tarfile.SYMTYPE),
            ("null", tarfile.CHRTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            file.addfile(member)
    yield Case("links.tar", out.getvalue(), error="holds no usable image: all 3 files were left out")
    yield Case("tar.zip", out.getvalue(), error="holds no usable image: all 3 files were left out")
