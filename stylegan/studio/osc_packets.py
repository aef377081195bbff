"""Packets of Open Sound Control 1.0, read strictly: what is wrong is a ValueError that costs no more than the length.

The reader of python-osc 1.10 never returns from a bundle with an element of negative size, so it is not used here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

BUNDLE = b"#bundle\0"
DEEPEST = 8  # bundles within each other
NUMBERS = {"f": ">f", "d": ">d", "i": ">i", "h": ">q"}
CONSTANTS = {"T": 1.0, "F": 0.0}

Value = float | None  # None for what is not a number


def messages(packet: bytes, depth: int = 0) -> Iterator[tuple[str, list[Value]]]:
    """Yield the address and the values of each message of a packet. Times of bundles are ignored.

    Raises: ValueError for a malformed packet.
    """
    if len(packet) % 4 or not packet:
        raise ValueError("the length is not a multiple of 4")
    if not packet.startswith(BUNDLE):
        yield _message(packet)
        return
    if depth >= DEEPEST:
        raise ValueError("too many bundles within each other")
    at = 16  # after the name and the time
    while at < len(packet):
        size = _number(">i", packet, at)
        if size <= 0 or at + 4 + size > len(packet):
            raise ValueError("an element is longer than its bundle")
        yield from messages(packet[at + 4 : at + 4 + int(size)], depth + 1)
        at += 4 + int(size)


def message(address: str, value: float, kind: str) -> bytes:
    """Return a packet with one number of the kind "f" or "i"."""
    return _padded(address) + _padded(f",{kind}") + struct.pack(NUMBERS[kind], value)


def _message(packet: bytes) -> tuple[str, list[Value]]:
    address, at = _text(packet, 0)
    kinds, at = _text(packet, at)
    if not address.startswith("/") or not kinds.startswith(","):
        raise ValueError("it has no address or no types")
    values: list[Value] = []
    for kind in kinds[1:]:
        if kind in NUMBERS:
            values.append(_number(NUMBERS[kind], packet, at))
            at += struct.calcsize(NUMBERS[kind])
        elif kind in CONSTANTS:
            values.append(CONSTANTS[kind])
        else:  # text, a blob or something else, whose length is not of interest: no number comes after it
            values.append(None)
            break
    return address, values


def _number(form: str, packet: bytes, at: int) -> float:
    try:
        return struct.unpack_from(form, packet, at)[0]
    except struct.error as error:
        raise ValueError("a number is cut short") from error


def _text(packet: bytes, at: int) -> tuple[str, int]:
    """Return the text at a place, and the place after it, which is a multiple of 4."""
    end = packet.find(b"\0", at)
    if end < 0:
        raise ValueError("a text has no end")
    return packet[at:end].decode("ascii"), end // 4 * 4 + 4


def _padded(text: str) -> bytes:
    content = text.encode("ascii")
    return content + bytes(4 - len(content) % 4)
