"""How people write addresses, numbers and profiles: pairs of spellings of one recipient."""

from __future__ import annotations

import random
from urllib.parse import quote

from send_queue.rules import keys

ADDRESSES = ("ana@bücher.example", "ana@straße.de", "bea@example.com", "ćira@ΣΑΣ.example", "i@ÖÇÜ.例え。jp",
             "o'neil+x@пример.example", "a@مثال.example")  # fmt: skip
DELIVERABLE = [one for one in ADDRESSES if one.rpartition("@")[0].isascii()]
NUMBERS = ("+442079460958", "+491701234567", "+390612345678", "+14155552671", "+2250701020304", "0170123")
SLUGS = ("ada-l", "jürgen-weiß", "ACoAAB_c-D", "山田", "ACwAAana")
UNSEEN = "\u200b\u00ad\ufeff\u2060\u200d"


def spelt(chance: random.Random, nth: int | None = None) -> tuple[str, str]:
    """Two spellings of one recipient, of one of a few people, or of the nth of many."""
    kind = chance.choice((an_address, a_number, a_profile))
    return kind(chance, nth)


def noisy(text: str, chance: random.Random) -> str:
    """With what cannot be seen in it, and blanks around it."""
    at = chance.randrange(len(text) + 1)
    text = text[:at] + chance.choice(UNSEEN) * chance.randrange(2) + text[at:]
    return chance.choice(("", " ", "\u00a0", "\t")) + text + chance.choice(("", "\n", "\u3000", "\u200b"))


def an_address(chance: random.Random, nth: int | None = None) -> tuple[str, str]:
    one = chance.choice(ADDRESSES) if nth is None else f"p{nth}{chance.choice(DELIVERABLE)}"

    def again() -> str:
        local, _, domain = one.rpartition("@")
        if chance.random() < 0.3:
            domain = keys.domain(domain)
        text = "".join(wide(c) if chance.random() < 0.1 else c.swapcase() if c.isascii() else c for c in
                       f"{local}@{domain}")  # fmt: skip
        return noisy(text, chance)

    return again(), again()


def wide(letter: str) -> str:
    """A letter of ASCII in full width."""
    return chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter


def a_number(chance: random.Random, nth: int | None = None) -> tuple[str, str]:
    one = chance.choice(NUMBERS) if nth is None else f"{chance.choice(NUMBERS[:5])[:-5]}{nth:05}"
    home = one.startswith(("+44", "+49"))

    def again() -> str:
        text = one[:3] + chance.choice(("", "(0)", " (0)", "0")) + one[3:] if home else one
        text = "00" + text[1:] if text.startswith("+") and chance.random() < 0.3 else text
        return noisy("".join(c + chance.choice(("", "", " ", "-", "\u2013", ".")) for c in text), chance)

    return again(), again()


def a_profile(chance: random.Random, nth: int | None = None) -> tuple[str, str]:
    one = chance.choice(SLUGS) if nth is None else f"{chance.choice(SLUGS)}{nth}"

    def again() -> str:
        slug = one if one.startswith("AC") or not one.isascii() else one.swapcase()
        slug = quote(slug) if chance.random() < 0.5 else slug
        if chance.random() < 0.2:
            return noisy(slug, chance)
        host = chance.choice(("linkedin.com", "www.linkedin.com", "de.LinkedIn.com", "HTTPS://www.linkedin.com:443"))
        path = chance.choice(("/in/", "/mwlite/in/", "/sales/lead/"))
        scheme = "" if "://" in host else chance.choice(("", "http://", "https://"))
        return noisy(f"{scheme}{host}{path}{slug}{chance.choice(('', '/', ',NAME_SEARCH,x', '?trk=y', '#z'))}", chance)

    return again(), again()


WAYS = {"email": an_address, "sms": a_number, "linkedin_invite": a_profile}
"""Of each channel that writes to people."""
