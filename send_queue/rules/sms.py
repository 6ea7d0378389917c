"""Segments of an SMS, which networks count and bill.

A text in the GSM 7-bit alphabet (3GPP TS 23.038, 6.2.1) has 160 units in one segment; one other letter makes it UCS-2,
with 70. Each of several segments has less room, since it holds its number: 153 and 67.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""Letters of one unit."""

GSM_7_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Letters of two units (an escape and a letter), never split over segments."""


MAX_TEXT_CHARS = 1600
"""Twilio (21617) and others refuse longer texts, whatever the segments."""


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets in GSM-7, 16-bit units in UCS-2."""

    count: int
    encoding: Literal["GSM-7", "UCS-2"]
    units: int


def segments(text: str) -> Segments:
    """Count the segments of a text; an empty one has none.

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
    """Count the segments for letters of these sizes, splitting no letter."""
    if sum(sizes) <= alone:
        return min(1, len(sizes))
    count, left = 1, among_others
    for size in sizes:
        if size > left:
            count, left = count + 1, among_others
        left -= size
    return count
