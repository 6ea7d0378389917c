"""What all networks share: which texts they take, what their errors become, and how a post is found again."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from networks import DAY, DOUBTED, HOUR, MINUTE, NOON, POST, SECOND, TOKEN, Said, Server, kind_of, made, serving

from send_queue.model import (
    CannotTell,
    ConfigurationError,
    Failed,
    Found,
    Hold,
    LookUp,
    NotThere,
    Retry,
    Uncertain,
)
from send_queue.providers import Provider, repeatable_for
from send_queue.providers.http_answer import Answer
from send_queue.providers.intermediary import MAX_LANE_HOLDS
from send_queue.providers.networks import base as networks_base
from send_queue.providers.networks import bluesky
from send_queue.providers.networks.base import Network, reset_after
from send_queue.providers.networks.bluesky import Bluesky
from send_queue.providers.networks.facebook import Facebook
from send_queue.providers.networks.linkedin_posts import LinkedIn
from send_queue.providers.networks.look_up import Listed, Page, find
from send_queue.providers.networks.mastodon import Mastodon
from send_queue.providers.networks.x import X
from send_queue.rules import post_length
from send_queue.rules.post_length import bare, graphemes, links, weighted, without_links

NETWORKS: dict[type[Network], str] = {
    Mastodon: "4711", Bluesky: "did:plc:ada", LinkedIn: "urn:li:person:Ada1", X: "4711", Facebook: "4711",
}  # fmt: skip
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
each = pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def of(kind: type[Network]) -> Any:
    return replace(POST, provider_account_id=NETWORKS[kind])


def test_the_examples_in_the_docstrings_hold() -> None:
    """They are the specification of the small functions."""
    for module in (post_length, networks_base, bluesky):
        failed, tried = doctest.testmod(module)
        assert failed == 0
        assert tried > 0


# --- texts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0), ("abc", 3), ("e\u0301", 1), ("\r\n", 1), ("\n\n", 2), (FAMILY, 1), ("\U0001f44d\U0001f3fd", 1),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", 2), ("\U0001f1e9\U0001f1ea\U0001f1eb", 2), ("\u2764\ufe0f", 1),
        ("1\ufe0f\u20e3", 1), ("\u1112\u1161\u11ab", 1), ("\ud55c\uae00", 2), ("\u0928\u0940", 1), ("a\u200db", 2),
    ],
)  # fmt: skip
def test_a_person_counts_clusters(text: str, length: int) -> None:
    """A letter with its accents, a flag, a family and a syllable are one character each."""
    assert graphemes(text) == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("a" * 280, 280), ("\u4f60\u597d", 4), ("\u00e9", 1), ("e\u0301", 1), (FAMILY, 2), ("\U0001f1e9\U0001f1ea", 2),
        ("see https://example.com/" + "x" * 99, 27), ("\u2019", 1), ("\u20ac", 2), ("1\ufe0f\u20e3", 2), ("\xa9", 1),
    ],
)  # fmt: skip
def test_x_counts_by_weight(text: str, length: int) -> None:
    """Links are 23, emoji 2, Latin letters 1, Chinese ones 2 (twitter-text, configuration 3)."""
    assert weighted(text) == length


def test_a_link_ends_before_the_sentence_does() -> None:
    """Neither the full stop nor the bracket around it belongs to it; one of its own does."""
    text = "(https://a.example/x), https://b.example/y_(z)! http:// https://c.example"
    assert [text[a:b] for a, b in links(text)] == [
        "https://a.example/x", "https://b.example/y_(z)", "https://c.example"
    ]  # fmt: skip
    assert without_links("a https://b.example c") == ("a  c", 1)


@pytest.mark.parametrize(
    ("kind", "fits", "too_long"),
    [
        (Mastodon, "a" * 476 + " https://example.com/" + "x" * 99, "a" * 501),
        (Bluesky, FAMILY * 160, "a" * 301),
        (Bluesky, "\u4f60" * 300, FAMILY * 180),
        (LinkedIn, "a" * 3000, "a" * 3001),
        (X, "a" * 256 + " https://example.com/" + "x" * 99, "\u4f60" * 141),
        (Facebook, "a" * 63_206, "a" * 63_207),
    ],
)
def test_a_text_is_measured_as_its_network_does(kind: type[Network], fits: str, too_long: str, server: Server) -> None:
    """What is too long is refused here with a sentence, and nobody is asked."""
    server.says(Said(500))
    assert kind.unfit(fits, {}) is None
    sentence = kind.unfit(too_long, {})
    assert sentence is not None
    assert sentence.endswith("shorten it.")
    assert made(kind, server).send(replace(of(kind), message=too_long)) == Failed("too_long", sentence)
    assert server.asked == []


def test_a_profile_may_be_allowed_more() -> None:
    """An instance with a limit of its own, or somebody who pays X."""
    assert X.unfit("a" * 1000, {"max_characters": "25000"}) is None
    assert Mastodon.unfit("a" * 1000, {"max_characters": 1000}) is None
    assert "over its 280" in str(X.unfit("a" * 1000, {"max_characters": "many"}))


# --- sending ----------------------------------------------------------------------------------------------


@each
def test_they_are_providers_of_posts(kind: type[Network], server: Server) -> None:
    """They serve the channel `post`, and a call of theirs is shorter than a lease."""
    provider: Provider = made(kind, server)
    assert provider.channels == {"post"}
    assert kind({}).longest_call < 2 * MINUTE
    assert (repeatable_for(provider) is not None) == (kind in (Mastodon, LinkedIn))
    provider.close()


@each
def test_only_what_certainly_did_not_go_out_is_refused(kind: type[Network], server: Server) -> None:
    """A 5xx, a gateway's word and a yes that cannot be read are in doubt; another server's no is nobody's fault."""
    provider, post = made(kind, server), of(kind)
    for status in (500, 502, 503, 504, 408, 499):
        server.says(Said(status, b"<html>gateway</html>"))
        assert kind_of(provider.send(post)) == "Uncertain", status
    server.says(Said(200, b"<html>wait</html>"))
    assert isinstance(provider.send(post), Uncertain)
    for status in (301, 403, 404, 405):
        server.says(Said(status, b"<html>firewall</html>"))
        assert kind_of(provider.send(post)) == "Hold lane, 60 min", status
        assert isinstance(provider.send(replace(post, attempt_number=MAX_LANE_HOLDS + 1)), Retry), status
    server.says(Said(400, b"<html>firewall</html>"))
    assert isinstance(provider.send(post), Retry)
    server.says(Said(429, b"slow down", {"Retry-After": "120"}))
    outcome = provider.send(post)
    assert isinstance(outcome, Hold)
    assert (outcome.scope, outcome.after) == ("lane", 2 * MINUTE)


@each
def test_neither_token_nor_text_is_repeated(kind: type[Network], server: Server) -> None:
    """What an error page repeats of the request is not kept."""
    server.says(Said(502, f"no: {TOKEN} {POST.message}".encode()))
    outcome = made(kind, server).send(of(kind))
    assert isinstance(outcome, Uncertain)
    assert outcome.detail == "no: … …"


@each
def test_nothing_leaves_without_a_token(kind: type[Network], server: Server) -> None:
    """It is named where it belongs, and an account without any says what to do."""
    server.says(Said(500))
    provider = made(kind, server)
    with pytest.raises(ConfigurationError, match="NO_TOKEN is not set"):
        provider.send(replace(of(kind), secret_env="NO_TOKEN"))
    with pytest.raises(ConfigurationError, match="send-queue tokens set ada"):
        provider.send(replace(of(kind), secret_env=None))
    assert isinstance(provider.look_up(replace(of(kind), secret_env="NO_TOKEN")), CannotTell)
    assert server.asked == []


@pytest.mark.parametrize("kind", [Bluesky, LinkedIn, X, Facebook])
def test_an_account_without_its_id_waits(kind: type[Network], server: Server) -> None:
    """It is not the post's fault."""
    server.says(Said(500))
    outcome = made(kind, server).send(replace(POST, provider_account_id="../somebody"))
    assert kind_of(outcome) == "Hold account, 15 min"
    assert isinstance(outcome, Hold)
    assert "--provider-account-id" in outcome.detail
    assert server.asked == []


@each
def test_where_it_posts(kind: type[Network], server: Server) -> None:
    """The environment's address goes before the account's, so that a rehearsal stays one; then the account's own."""
    server.says(Said(500))
    elsewhere = replace(of(kind), settings={"base_url": "http://127.0.0.1:9"})
    assert isinstance(made(kind, server).send(elsewhere), Uncertain)
    assert len(server.asked) == 1
    own = replace(of(kind), settings={"base_url": server.url})
    assert isinstance(kind({"ADA_TOKEN": TOKEN}).send(own), Uncertain)
    assert len(server.asked) == 2
    with pytest.raises(ConfigurationError, match="base_url of the account ada"):
        kind({"ADA_TOKEN": TOKEN}).send(replace(own, settings={"base_url": "http://somewhere.example"}))


def test_a_mastodon_account_says_its_instance() -> None:
    """There is none that all share."""
    with pytest.raises(ConfigurationError, match="account set ada --set base_url=https"):
        Mastodon({"ADA_TOKEN": TOKEN}).send(POST)


def test_a_token_that_is_renewed_is_waited_for(server: Server) -> None:
    """`tokens refresh` runs by cron; a secret from the environment has only a person to renew it."""
    from send_queue.rules.vault import Vault, new_key

    key = new_key()
    sealed = Vault({"SEND_QUEUE_TOKEN_KEYS": key}).seal(TOKEN)
    provider = made(X, server, SEND_QUEUE_TOKEN_KEYS=key)
    server.says(Said(401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}))
    held = provider.send(replace(POST, secret_env=None, token=sealed))
    assert kind_of(held) == "Hold account, 15 min"
    assert isinstance(held, Hold)
    assert held.code == "token_expired"
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert kind_of(provider.send(POST)) == "Hold account, a person"


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (str(int((NOON + HOUR).timestamp())), HOUR),
        ((NOON + HOUR).isoformat(), HOUR),
        ("2026-03-02T13:00:00", HOUR),
        (str(int((NOON - HOUR).timestamp())), 0 * HOUR),
        ("99999999999", 30 * DAY),
        ("soon", 7 * SECOND),
        ("", 7 * SECOND),
    ],
)
def test_a_limit_ends_when_the_network_says(value: str, after: Any) -> None:
    """By its own clock; where it says nothing usable, as Retry-After has it."""
    headers = {"reset": value, "retry-after": "7", "date": "Mon, 02 Mar 2026 12:00:00 GMT"}
    assert reset_after(Answer(429, headers, None, ""), "reset", NOON + 5 * DAY) == after


# --- finding it again -------------------------------------------------------------------------------------

TEXT = "Hello"
POSTED = replace(DOUBTED, message=TEXT)


def at(*posts: tuple[str | None, Any], clock: datetime | None = None) -> Page:
    return Page(tuple(Listed(str(n), text, when) for n, (text, when) in enumerate(posts)), clock)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (at((TEXT, NOON + SECOND)), Found),
        (at(("  Hello\u200b\n", NOON - 4 * MINUTE)), Found),
        (at((TEXT, NOON - 6 * MINUTE)), CannotTell),  # an older one, or a clock was ahead
        (at((TEXT, NOON - DAY - SECOND)), NotThere),
        (at((TEXT, NOON), (TEXT, NOON - HOUR)), CannotTell),
        (at(("Other", NOON)), NotThere),
        (at(), NotThere),
        (at(("Other", NOON), (None, NOON)), CannotTell),
        (at((TEXT, None)), CannotTell),
        # Given up at a moment that is an hour ahead of the network's clock: so was it begun.
        (at((TEXT, NOON - HOUR), clock=NOON + MINUTE - HOUR), Found),
        (at((TEXT, NOON - 25 * HOUR), clock=NOON + MINUTE - HOUR), CannotTell),
    ],
)
def test_a_post_is_told_by_its_text_and_roughly_by_its_time(page: Page, expected: type[LookUp]) -> None:
    """What may be another post, or the same by a wrong clock, is for a person."""
    assert isinstance(find(POSTED, [page]), expected)


def test_a_text_whose_links_were_rewritten_is_for_a_person() -> None:
    """The rest of it is the same: it is no proof either way."""
    page = at(("Read https://short.example/1", NOON))
    sought = replace(POSTED, message="Read https://example.com/long")
    assert isinstance(find(sought, [page], lambda text: bare(without_links(text)[0])), CannotTell)
    assert isinstance(find(sought, [page]), NotThere)


def test_a_list_is_read_until_it_is_older_than_the_attempt() -> None:
    """Newest first: beyond that nothing is asked; and a list that breaks off proves nothing."""
    old, new = at(("Other", NOON - 2 * DAY)), at(("Other", NOON))
    pages = iter([new, old, at((TEXT, NOON))])
    assert isinstance(find(POSTED, pages), NotThere)
    assert next(pages) == at((TEXT, NOON))
    assert isinstance(find(POSTED, [new, CannotTell("gone")]), CannotTell)
