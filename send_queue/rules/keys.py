"""The key of a recipient: equal for all spellings; suppression, dedupe and prospects compare it.

send_normal_recipient is the same function in SQL: change both. Sends go only to recipients whose key is exact
(recipients.py).
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote_to_bytes

_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_EDGE = "\u1680\u2028\u2029" + "".join(map(chr, (*range(0x21), *range(0x7F, 0xA1))))
_DASHES = "\u2010-\u2015\u2212"
_NUMBER = re.compile(rf"(?:tel:)?[ \t-\r+0-9()./{_DASHES}-]*[0-9][ \t-\r0-9()./{_DASHES}-]*")
_PROFILE = re.compile(
    r"(?:(?:https?://)?(?:[a-z0-9-]+\.)*linkedin\.com(?::[0-9]+)?/+"
    r"(?:mwlite/)?(?:in|sales/lead|sales/people|talent/profile)|/?in)/+([^/?# \t-\r]+)",
    re.IGNORECASE | re.ASCII,
)
_MEMBER_ID = re.compile("A[A-Z][A-Za-z]AA")
_WORD = re.compile(r"(?:[0-9A-Za-z_%.-]|[^\x00-\x7f])+")
_AT_HOME = re.compile(
    "^([+](?:20|27|31|32|33|40|41|43|44|46|49|51|53|54|55|57|58|60|61|63|64|66|84|86|90|91|92|93|94|95|98|211|212|"
    "213|218|231|232|233|234|243|249|251|252|254|255|256|260|261|262|263|264|265|291|353|355|358|359|370|"
    "373|374|377|380|381|382|383|385|386|387|389|421|423|508|590|591|593|594|595|596|686|850|855|856|880|"
    "886|961|962|963|964|966|967|970|971|972|976|977|994|995|996))0+"
)
"""Countries whose international numbers drop the 0 of national dialling."""

_PLAIN = re.compile("[a-z0-9][a-z0-9._+-]*@[a-z0-9.-]+|[a-z][a-z0-9_.-]*|A[A-Z][A-Za-z]AA[A-Za-z0-9_-]*|[+]1[0-9]+")
"""Most recipients: their own key."""

_ROUNDS = 6


def clean(text: str) -> str:
    r"""Remove invisible characters and outer blanks; normalise letters (NFKC).

    >>> clean(' \uff41na@example.com\u200b')
    'ana@example.com'
    """
    if not text.isascii():
        text = _UNSEEN.sub("", unicodedata.normalize("NFKC", _UNSEEN.sub("", text)))
    return text.strip(_EDGE)


def key(recipient: str) -> str:
    """Return the key of a recipient, whose form shows its kind: address, number or profile.

    >>> key("Ana@Bücher.example"), key("+44 (0)20 7946 0958"), key("https://uk.linkedin.com/in/Ada-L/")
    ('ana@xn--bcher-kva.example', '+442079460958', 'ada-l')
    """
    if _PLAIN.fullmatch(recipient):
        return recipient
    for _ in range(_ROUNDS):
        before, recipient = recipient, _folded(clean(recipient))
        if before == recipient:
            break
    return recipient


def _folded(text: str) -> str:
    found = profile(text)
    if found is None and "@" in text[1:-1] and "://" not in text:
        local, at, host = _small(text).rpartition("@")
        return local + at + _labels(host)
    if found is None and _NUMBER.fullmatch(text):
        digits = re.sub("^00", "+", re.sub("[^0-9+()]", "", text))
        digits = re.sub("[()]", "", re.sub(r"^([+][0-9]+)[(]0[)]", r"\1", digits))
        return _AT_HOME.sub(r"\1", digits)
    if found is None and _WORD.fullmatch(text):
        found = _named(text)
    if found is None:
        return text
    return found if _MEMBER_ID.match(found) else _small(found)


def profile(text: str) -> str | None:
    """Return the slug or id in the URL of a LinkedIn profile, unchanged; None for another URL.

    >>> profile("https://www.linkedin.com/sales/lead/ACwAAana,NAME_SEARCH,x1?_ntb=y")
    'ACwAAana'
    """
    match = _PROFILE.match(text)
    return None if match is None else _named(match[1])


def _named(part: str) -> str:
    """Return the person that a part of a path names."""
    try:
        decoded = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        decoded = part
    return (part if "\0" in decoded else decoded).split(",")[0]


def domain(text: str) -> str:
    """Write a domain in ASCII, as in a key.

    >>> domain("Straße.de")
    'xn--strae-oqa.de'
    """
    return _labels(_small(text))


def _small(text: str) -> str:
    """Lower each letter by itself, whatever its neighbours."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", "".join(map(_small_letter, text)))


def _small_letter(letter: str) -> str:
    small = letter.lower()
    if letter == "\u3002":
        return "."
    cherokee = "\u13a0" <= letter <= "\u13ff" or "\uab70" <= letter <= "\uabbf"
    return letter if cherokee or len(small) > 1 else small


def _labels(host: str) -> str:
    return ".".join(
        label if label.isascii() or len(label) > 63 else f"xn--{label.encode('punycode').decode()}"
        for label in host.split(".")
    )
