"""One recipient has one key: Python and SQL make the same of each spelling, and nobody is written to by another one."""

from __future__ import annotations

import random

import psycopg
import pytest
from builders import Connection, Queue
from spellings import WAYS, a_number, an_address, noisy, spelt

from send_queue.rules import keys
from send_queue.rules.recipients import address, checked

SPELLINGS = 10_000


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


JUNK = (
    "#N/A", "N/A", "John Smith", "ada@example.org", "https://www.linkedin.com/company/acme", "-", "\u2013", "\u200b",
    "https://example.org/in/ada", "https://linkedin.com/in/", "linkedin.com/in/%20", "020 7946 0958", "ada", "ada@",
    "ada@example.org, ben@example.org", "Ada <ada@example.org>", "a@b@c", "ada@ex ample.org", "ada@-x.org",
    "ada@\u2603.org", "+", "+1415", "12/05/2024", "442079460958", "linkedin.com/in/12345", "ftp://example.org",
    "https://",
    "https://a b/", "https://example.org:99999/", "https://example.org:0/x", "https://me:pw@example.org/",
    "https://[::1]:80/x", "http://127.0.0.1:9/x?y#z", "javascript:alert(1)", "a" * 65 + "@example.org",
    "urn:li:member:1", "x" * 300, "x" * 2000, "x" * 2001, "+1" * 2000,
    "null", "None", "NAN", "undefined", "unknown", "n.a.", "TRUE", "no", "yes", "tbd",
    "me", "/in/null", "https://www.linkedin.com/in/undefined/", "in/me/", "linkedin.com/in/Unavailable?trk=x",
    "/in/%6Eull",
    "https://www.linkedin.com/in/d20 https://x.com/d", "/in/dora smith", "/in/dora17,", "in/dora17,\u200b ",
    "in/d\u3000e", "in/d\u2028e", "in/dora,x,y", "in/d\u1680e", "Nobody", "Engineer", "metoo", "foo@example",
    "a@192.168.0.1", "a@b",
    "a@b.c", "a@b.c1", "a@b.xn--q9jyb4c", "a@b.\u307f\u3093\u306a", "a@b.co.", "a@[127.0.0.1]", "a@b..co", "A@B.CO",
)  # fmt: skip


def test_sql_refuses_whom_the_command_refuses(conn: Connection) -> None:
    """For each channel, of junk and of good spellings of each kind, with what cannot be seen in them, the same."""
    chance = random.Random(15)
    texts = [*JUNK, *(noisy(text, chance) for text in JUNK)]
    texts += [spelling for _ in range(700) for spelling in spelt(chance)]
    texts += [spelling for way in WAYS.values() for nth in range(200) for spelling in way(chance, nth)]
    differ = []
    for channel in ("email", "sms", "linkedin_invite", "linkedin_message", "log", "post"):
        rows = conn.execute(
            "select t, send_check_recipient(%s, t) from unnest(%s::text[]) t", (channel, texts)
        ).fetchall()  # fmt: skip
        for text, theirs in rows:
            try:
                checked(channel, text)
                ours = None
            except ValueError as error:
                ours = str(error)
            if (ours is None) != (theirs is None):
                differ.append((channel, text, ours, theirs))
    assert differ == []


@pytest.mark.parametrize(("channel", "recipient"), [
    *(("linkedin_invite", junk) for junk in ("#N/A", "John Smith", "ada@example.org",
    "https://www.linkedin.com/company/acme",
                                             "https://example.org/in/ada", "020 7946 0958", "", "\u200b")),
    *(("linkedin_message", junk) for junk in ("null", "/in/undefined/", "me", "/in/dora smith", "/in/dora17,",
                                              "https://www.linkedin.com/in/d20 https://x.com/d")),
    *(("email", junk) for junk in ("foo@example", "a@192.168.0.1", "a@b")),
    *(("email", junk) for junk in ("#N/A", "John Smith", "https://www.linkedin.com/in/ada", "+14155552671", "")),
    *(("sms", junk) for junk in ("#N/A", "John Smith", "ada@example.org", "020 7946 0958", "")),
    ("webhook", ""),
    ("log", "\u200b"), ("post", ""),
])  # fmt: skip
def test_junk_is_refused_when_it_comes_in(conn: Connection, channel: str, recipient: str) -> None:
    """By send_enqueue and by a plain INSERT, with a sentence, and nothing is stored; what is over is taken."""
    queue = Queue(conn)
    queue.account()
    campaign = queue.campaign()
    insert = "insert into send_queue (campaign_id, channel, recipient, message, status) values (%s, %s, %s, 'm', %s)"
    for refused in (
        lambda: queue.enqueue(channel=channel, recipient=recipient),
        lambda: queue.do(insert, campaign, channel, recipient, "pending"),
    ):
        with pytest.raises(psycopg.Error) as error:
            refused()
        assert error.value.sqlstate == "SQ002"
        assert (error.value.diag.message_primary or "").count(". ") == 0
    assert queue.how_many() == queue.one("select count(*) from send_prospects") == 0
    if recipient:
        assert queue.do(insert, campaign, channel, recipient, "failed") == 1


def test_a_slug_is_one_in_capitals_and_an_id_is_not(conn: Connection) -> None:
    """LinkedIn makes no difference between capitals and small letters in a slug, but in its ids it does."""
    both = normal(conn, ["Ada-L", "ada-l", "https://linkedin.com/in/ADA-L", "ACoAAb", "ACoAAB", "ACwAAb,NAME_SEARCH,x"])
    assert both == ["ada-l", "ada-l", "ada-l", "ACoAAb", "ACoAAB", "ACwAAb,NAME_SEARCH,x"]
    queue = Queue(conn)
    queue.account()
    queue.campaign()
    for recipient in ("Ada-L", "https://www.linkedin.com/in/ada-l/", "ACoAAb", "ACoAAB"):
        queue.enqueue(channel="linkedin_invite", recipient=recipient)
    assert queue.one("select count(*) from send_prospects") == 3
