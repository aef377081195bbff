"""Numbers with their nouns, for messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as "1 image" or "1,000 images".

    plural: of a noun that does not just end in s, such as "classes".
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
