"""One recipient has one key: Python and SQL make the same of each spelling, and nobody is written to by another one."""

from __future__ import annotations

import random
from urllib.parse import quote

import pytest
from builders import Connection, Queue

from send_queue import keys
from send_queue.recipients import address, checked

SPELLINGS = 10_000
ADDRESSES = ("ana@bücher.example", "ana@straße.de", "bea@example.com", "ćira@ΣΑΣ.example", "i@ÖÇÜ.例え。jp",
             "o'neil+x@пример.example", "a@مثال.example")  # fmt: skip
NUMBERS = ("+442079460958", "+491701234567", "+390612345678", "+14155552671", "+2250701020304", "0170123")
SLUGS = ("ada-l", "jürgen-weiß", "ACoAAB_c-D", "山田", "ACwAAana")
UNSEEN = "\u200b\u00ad\ufeff\u2060\u200d"


def spelt(chance: random.Random) -> tuple[str, str]:
    """Two spellings of one recipient."""
    kind = chance.choice((an_address, a_number, a_profile))
    return kind(chance)


def noisy(text: str, chance: random.Random) -> str:
    """With what cannot be seen in it, and blanks around it."""
    at = chance.randrange(len(text) + 1)
    text = text[:at] + chance.choice(UNSEEN) * chance.randrange(2) + text[at:]
    return chance.choice(("", " ", "\u00a0", "\t")) + text + chance.choice(("", "\n", "\u3000", "\u200b"))


def an_address(chance: random.Random) -> tuple[str, str]:
    one = chance.choice(ADDRESSES)

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


def a_number(chance: random.Random) -> tuple[str, str]:
    one = chance.choice(NUMBERS)
    home = one.startswith(("+44", "+49"))

    def again() -> str:
        text = one[:3] + chance.choice(("", "(0)", " (0)", "0")) + one[3:] if home else one
        text = "00" + text[1:] if text.startswith("+") and chance.random() < 0.3 else text
        return noisy("".join(c + chance.choice(("", "", " ", "-", "\u2013", ".")) for c in text), chance)

    return again(), again()


def a_profile(chance: random.Random) -> tuple[str, str]:
    one = chance.choice(SLUGS)

    def again() -> str:
        slug = one if one.startswith("AC") or not one.isascii() else one.swapcase()
        slug = quote(slug) if chance.random() < 0.5 else slug
        host = chance.choice(("linkedin.com", "www.linkedin.com", "de.LinkedIn.com", "HTTPS://www.linkedin.com:443"))
        path = chance.choice(("/in/", "/mwlite/in/", "/sales/lead/"))
        scheme = "" if "://" in host else chance.choice(("", "http://", "https://"))
        return noisy(f"{scheme}{host}{path}{slug}{chance.choice(('', '/', ',NAME_SEARCH,x', '?trk=y', '#z'))}", chance)

    return again(), again()


def normal(conn: Connection, texts: list[str]) -> list[str]:
    """As SQL has them."""
    rows = conn.execute(
        "select send_normal_recipient(t) from unnest(%s::text[]) with ordinality u (t, n) order by n", (texts,)
    )
    return [key for (key,) in rows.fetchall()]


def test_both_make_one_key_of_all_spellings(conn: Connection) -> None:
    """10,000 pairs: two spellings of one have one key, in Python and in SQL, and it is the key of itself."""
    chance = random.Random(12)
    pairs = [spelt(chance) for _ in range(SPELLINGS)]
    for place in (0, 1):
        ours = [keys.key(pair[place]) for pair in pairs]
        assert [
            (p, a, b) for p, a, b in zip(pairs, ours, normal(conn, [p[place] for p in pairs]), strict=True) if a != b
        ] == []
        assert normal(conn, ours) == ours
    assert [pair for pair in pairs if keys.key(pair[0]) != keys.key(pair[1])] == []


def test_both_make_one_key_of_any_text(conn: Connection) -> None:
    """Of junk too: letters of many scripts, signs and blanks, in any order."""
    chance = random.Random(13)
    letters = [
        chr(c)
        for c in (
            *range(1, 0x250),
            *range(0x370, 0x530),
            *range(0x1E00, 0x2070),
            *range(0x3000, 0x3100),
            *range(0xFF00, 0xFFF0),
            *range(0x10400, 0x10450),
        )
        if chr(c).isprintable() or c < 127
    ]
    shapes = ("{}", "{}@{}", "{}@{}.{}", "in/{}", "https://linkedin.com/in/{}", "+44(0){}", "{}%C3%BC", "a@{}%41")
    texts = []
    for _ in range(3000):
        shape = chance.choice(shapes)
        texts.append(shape.format(*("".join(chance.choices(letters, k=chance.randrange(9))) for _ in range(3))))
    both = list(zip(texts, map(keys.key, texts), normal(conn, texts), strict=True))
    assert [(text, ours, theirs) for text, ours, theirs in both if ours != theirs] == []


@pytest.mark.parametrize(("channel", "listed", "queued"), [
    ("email", "ana@xn--bcher-kva.example", "ana@bücher.example"),
    ("email", "bea@example.com", "bea@example.com\u200b"),
    ("sms", "+44 (0)20 7946 0958", "+44 20 7946 0958"),
    ("linkedin_invite", "https://linkedin.com/in/ada-l", "https://www.linkedin.com/in/ada-l/"),
])  # fmt: skip
def test_who_is_suppressed_is_so_by_every_spelling(conn: Connection, channel: str, listed: str, queued: str) -> None:
    """Suppressed one way and queued the other, before or after: skipped."""
    queue = Queue(conn)
    queue.account()
    queue.campaign()
    queue.lane(channel=channel)
    for before, after in ((listed, queued), (queued, listed)):
        waits = queue.enqueue(recipient=before, channel=channel)
        queue.do("insert into send_suppressions (workspace_id, recipient, reason) "
                 "select id, %s, 'asked' from send_workspaces", after)  # fmt: skip
        comes = queue.enqueue(recipient=before, channel=channel)
        assert [queue.row(send)["status"] for send in (waits, comes)] == ["skipped", "skipped"]
        queue.do("delete from send_suppressions")


def test_what_is_sent_is_what_is_compared() -> None:
    """The address, and the number, that a provider is given has the key of what was written."""
    chance = random.Random(14)
    for _ in range(2000):
        for written in an_address(chance):
            sent = address(written)
            assert sent is None or sent.lower() == keys.key(written)
        for written in a_number(chance):
            try:
                assert checked("sms", written) == keys.key(written)
            except ValueError:
                assert keys.key(written) == "0170123"
    assert address("ana@straße.de") == "ana@xn--strae-oqa.de"
