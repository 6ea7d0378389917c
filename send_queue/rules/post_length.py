"""The length of a text as each network counts it. Pure. No network counts bytes alone or like Python's `len`.

    clusters   a reader's characters (a letter with its accents, a flag, a family)
    links      texts that networks turn into links and count at a fixed length
    weighted   X's count: 280 of it make a post

Segmentation follows UAX #29 as far as the standard library knows the characters: every symbol in the blocks of emoji
counts as a pictograph. If a network counts otherwise, it refuses the post, which then fails.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

SHORTENED = 23
"""Characters that X and Mastodon count for a link of any length."""

_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_ENDS_A_SENTENCE = ".,;:!?'\u2026\u201d\u2019"
_JOINER = "\u200d"

_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
"""Code points that X counts as one; it counts others as two (twitter-text, configuration 3)."""


def links(text: str) -> Iterator[tuple[int, int]]:
    """Yield the begin and end of each link, without a sentence's closing signs.

    >>> text = "Read (https://a.example/b_(c)), now."
    >>> [text[begin:end] for begin, end in links(text)]
    ['https://a.example/b_(c)']
    """
    for found in _LINK.finditer(text):
        link = found[0]
        while link and (link[-1] in _ENDS_A_SENTENCE or (link[-1] == ")" and link.count(")") > link.count("("))):
            link = link[:-1]
        if link.partition("://")[2]:
            yield found.start(), found.start() + len(link)


def without_links(text: str) -> tuple[str, int]:
    """Return the text without its links, and their number."""
    rest, end, n = [], 0, 0
    for begin, after in links(text):
        rest.append(text[end:begin])
        end, n = after, n + 1
    return "".join((*rest, text[end:])), n


def clusters(text: str) -> Iterator[str]:
    """Yield the extended grapheme clusters, a reader's characters.

    >>> [len(cluster) for cluster in clusters("e\\u0301\\U0001f1e9\\U0001f1ea\\U0001f468\\u200d\\U0001f469\\r\\n")]
    [2, 2, 3, 2]
    """
    begin, flags = 0, 0
    for i, char in enumerate(text):
        if i > begin and not _joins(text, begin, i, flags):
            yield text[begin:i]
            begin, flags = i, 0
        flags += _is_flag(char)
    if text:
        yield text[begin:]


def graphemes(text: str) -> int:
    return sum(1 for _ in clusters(text))


def weighted(text: str) -> int:
    """Return the length that X counts: links 23, emoji 2, Latin and similar 1, others 2.

    >>> weighted("Hi \\u4f60 \\U0001f468\\u200d\\U0001f469 https://example.com/a/very/long/way")
    32
    """
    rest, n = without_links(unicodedata.normalize("NFC", text))
    length = n * SHORTENED
    for cluster in clusters(rest):
        emoji = _is_pictograph(cluster[0]) or _is_flag(cluster[0]) or "\ufe0f" in cluster
        length += 2 if emoji and ord(cluster[0]) > 0xFF else 2 if "\u20e3" in cluster else sum(map(_weight, cluster))
    return length


def bare(text: str) -> str:
    """Remove white space and invisible characters and compose letters, since networks may change these."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c)[0] not in "ZC")


def _weight(char: str) -> int:
    return 1 if any(first <= ord(char) <= last for first, last in _LIGHT) else 2


def _joins(text: str, begin: int, i: int, flags: int) -> bool:
    """Whether the character at `i` belongs to the cluster from `begin`, which has `flags` flag letters so far."""
    before, char = text[i - 1], text[i]
    if before == "\r" and char == "\n":
        return True
    if before in "\r\n" or char in "\r\n":
        return False
    if _extends(char):
        return True
    if before == _JOINER and _is_pictograph(char) and _is_pictograph(text[begin]):
        return True
    if _is_flag(before) and _is_flag(char):
        return flags % 2 == 1
    return _syllable_goes_on(before, char)


def _extends(char: str) -> bool:
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char in (_JOINER, "\u200c")
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags, the parts of regions' flags
        or "\uff9e" <= char <= "\uff9f"
    )


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_pictograph(char: str) -> bool:
    return "\U0001f000" <= char <= "\U0001faff" or (
        unicodedata.category(char) == "So"
        and ("\u2190" <= char <= "\u2bff" or char in "\xa9\xae\u3030\u303d\u3297\u3299")
    )


def _syllable_goes_on(before: str, char: str) -> bool:
    """Whether a Hangul syllable in parts goes on: leading consonants, vowels, trailing consonants."""
    match _hangul(before), _hangul(char):
        case ("L", "L" | "V" | "LV" | "LVT") | ("LV" | "V", "V" | "T") | ("LVT" | "T", "T"):
            return True
    return False


def _hangul(char: str) -> str:
    if "\u1100" <= char <= "\u115f":
        return "L"
    if "\u1160" <= char <= "\u11a7":
        return "V"
    if "\u11a8" <= char <= "\u11ff":
        return "T"
    if "\uac00" <= char <= "\ud7a3":
        return "LVT" if (ord(char) - 0xAC00) % 28 else "LV"
    return ""
