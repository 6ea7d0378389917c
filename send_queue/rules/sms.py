"""How many messages is a text, when it goes by SMS? What the network counts, and bills, is segments.

A text whose letters are all in the GSM 7-bit alphabet (3GPP TS 23.038, 6.2.1) has 160 units in one segment; a single
other letter makes all of it UCS-2, with 70. In several segments each gives up room for its place among them: 153, 67.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The letters of one unit."""

GSM_7_EXTENDED = frozenset("\f^{}\\[~]|€")
"""The letters that are an escape and another: two units, never in two segments."""


MAX_TEXT_CHARS = 1600
"""Characters of one text, in however many segments: Twilio refuses more (21617), as others do."""


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets in GSM-7, 16-bit units in UCS-2."""

    count: int
    encoding: Literal["GSM-7", "UCS-2"]
    units: int


def segments(text: str) -> Segments:
    """Count the segments of a text; none of an empty one.

    >>> segments("Hello")
    Segments(count=1, encoding='GSM-7', units=5)
    >>> segments("Price: 10 €").units, segments("Привет").encoding
    (12, 'UCS-2')
    >>> segments("a" * 161).count, segments("ж" * 71).count
    (2, 2)
    """
    if set(text) <= GSM_7 | GSM_7_EXTENDED:
        sizes = [2 if letter in GSM_7_EXTENDED else 1 for letter in text]
        return Segments(_packed(sizes, 160, 153), "GSM-7", sum(sizes))
    sizes = [2 if ord(letter) > 0xFFFF else 1 for letter in text]
    return Segments(_packed(sizes, 70, 67), "UCS-2", sum(sizes))


def _packed(sizes: list[int], alone: int, among_others: int) -> int:
    """Into how many segments letters of these sizes go; none is cut through."""
    if sum(sizes) <= alone:
        return min(1, len(sizes))
    count, left = 1, among_others
    for size in sizes:
        if size > left:
            count, left = count + 1, among_others
        left -= size
    return count
