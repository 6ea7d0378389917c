"""Mastodon: what is asked of it, field by field, and what each of its answers means for a post."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from networks import DAY, DOUBTED, HOUR, MINUTE, NOON, POST, TOKEN, Asked, Said, Server, kind_of, made, serving

from send_queue.model import CannotTell, Found, Hold, LookUp, NotThere, Sent, Uncertain
from send_queue.providers.networks.mastodon import MEANINGS, PER_PAGE, Mastodon

STATUS = {"id": "109372843234", "created_at": "2026-03-02T12:00:01.000Z", "content": "<p>…</p>"}

OUTCOMES = {
    "http_400": "Failed",
    "http_401": "Hold account, a person",
    "http_403": "Hold account, a person",
    "http_404": "Hold account, a person",
    "http_410": "Hold account, a person",
    "http_422": "Failed",
    "http_429": "Hold lane, 5 min",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def mastodon(server: Server) -> Any:
    return made(Mastodon, server)


def test_a_status_field_by_field(server: Server, mastodon: Mastodon) -> None:
    """One POST, with the send's id as its key, which is the same on every try."""
    server.says(Said(200, STATUS))
    assert mastodon.send(POST) == Sent("109372843234", 200)
    [asked] = server.asked
    assert (asked.method, asked.path, asked.json) == ("POST", "/api/v1/statuses", {"status": POST.message})
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["idempotency-key"] == str(POST.send_id)
    assert asked.headers["content-type"] == "application/json"
    mastodon.send(replace(POST, attempt_number=2))
    assert server.asked[1].headers["idempotency-key"] == str(POST.send_id)


def test_what_an_account_may_set(server: Server, mastodon: Mastodon) -> None:
    """Who sees it and what language it is in; a visibility that there is not is left out."""
    server.says(Said(200, STATUS))
    mastodon.send(replace(POST, settings={"visibility": "unlisted", "language": "de"}))
    assert server.asked[0].json == {"status": POST.message, "visibility": "unlisted", "language": "de"}
    mastodon.send(replace(POST, settings={"visibility": "everyone"}))
    assert server.asked[1].json == {"status": POST.message}


@pytest.mark.parametrize("code", OUTCOMES)
def test_every_row_of_the_table(code: str, server: Server, mastodon: Mastodon) -> None:
    """Mastodon's errors are a sentence, and their status."""
    status = int(code.removeprefix("http_"))
    server.says(Said(status, {"error": "The sentence"}))
    outcome = mastodon.send(POST)
    assert kind_of(outcome) == OUTCOMES[code]
    assert not isinstance(outcome, Sent)
    assert (outcome.code, outcome.http_status) == (code, status)
    assert "The sentence" in outcome.detail


def test_the_table_has_no_other_rows() -> None:
    """Each has been said above what it means."""
    assert MEANINGS.keys() == OUTCOMES.keys()


def test_a_limit_ends_at_its_reset(server: Server, mastodon: Mastodon) -> None:
    """X-RateLimit-Reset is a moment, by the instance's clock."""
    reset = (server.now + timedelta(minutes=3)).isoformat()
    server.says(Said(429, {"error": "Too many requests"}, {"X-RateLimit-Reset": reset}))
    outcome = mastodon.send(POST)
    assert isinstance(outcome, Hold)
    assert outcome.after == 3 * MINUTE


def test_a_yes_without_an_id_is_in_doubt(server: Server, mastodon: Mastodon) -> None:
    """Something else has answered."""
    server.says(Said(200, {"ok": True}))
    assert isinstance(mastodon.send(POST), Uncertain)


# --- looking up -------------------------------------------------------------------------------------------


def instance(*statuses: tuple[Any, str, str], source: int = 200) -> Any:
    """An instance that lists these (when, HTML, text), newest first, PER_PAGE at a time."""

    def answer(asked: Asked) -> Said:
        if asked.path.endswith("/verify_credentials"):
            return Said(200, {"id": "42"})
        if asked.path.endswith("/source"):
            n = int(asked.path.split("/")[-2])
            return Said(source, {"id": str(n), "text": statuses[1000 - n][2]})
        assert asked.path == "/api/v1/accounts/42/statuses"
        assert asked.query["exclude_reblogs"] == "true"
        first = 1001 - int(asked.query["max_id"]) if "max_id" in asked.query else 0
        return Said(200, [
            {"id": str(1000 - n), "created_at": when.isoformat(), "content": html}
            for n, (when, html, _) in enumerate(statuses)
        ][first : first + PER_PAGE])  # fmt: skip

    return answer


MENTION = replace(DOUBTED, message="Thanks, @ben@other.example & all!")
SHOWN = '<p>Thanks, <span class="h-card"><a href="#">@<span>ben</span></a></span> &amp; all!</p>'


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([(NOON, SHOWN, MENTION.message)], Found("1000")),
        ([(NOON, "<p>Other</p>", "Other"), (NOON, SHOWN, MENTION.message)], Found("999")),
        ([(NOON, "<p>Other</p>", "Other")], NotThere()),
        ([], NotThere()),
        ([(NOON - 2 * DAY, SHOWN, MENTION.message)], NotThere()),
    ],
)
def test_a_status_is_found_as_it_was_written(
    statuses: list[Any], expected: LookUp, server: Server, mastodon: Mastodon
) -> None:
    """What is listed is HTML with mentions rewritten: each status of that time is asked for its source."""
    server.says(instance(*statuses))
    assert mastodon.look_up(MENTION) == expected


def test_a_plain_text_needs_no_source(server: Server, mastodon: Mastodon) -> None:
    """Nothing was rewritten in it."""
    server.says(instance((NOON, "<p>Fish &amp; chips</p>", "Fish & chips"), source=500))
    assert mastodon.look_up(replace(DOUBTED, message="Fish & chips")) == Found("1000")
    assert len(server.asked) == 2


def test_the_list_is_read_on_by_its_last_id(server: Server, mastodon: Mastodon) -> None:
    """A busy profile has more than one page since."""
    busy = [(NOON + HOUR, "<p>Other</p>", "Other")] * PER_PAGE
    server.says(instance(*busy, (NOON, SHOWN, MENTION.message)))
    # Each of the page would be asked for its source; a source that cannot be had proves nothing.
    assert mastodon.look_up(MENTION) == Found(str(1000 - PER_PAGE))


@pytest.mark.parametrize(
    "answer",
    [
        Said(401, {"error": "no"}),
        Said(200, {}),
        Said(200, b"<html>"),
        instance((NOON, SHOWN, "x"), source=404),
        lambda asked: Said(200, {"id": "42"} if "verify" in asked.path else [{"id": 1}]),
        lambda asked: Said(200, {"id": "42"} if "verify" in asked.path else {"error": "?"}),
        lambda asked: Said(200, {"id": "42"}) if "verify" in asked.path else Said(503),
    ],
)
def test_an_answer_that_cannot_be_read_proves_nothing(answer: Any, server: Server, mastodon: Mastodon) -> None:
    """Neither that it is there nor that it is not."""
    server.says(answer)
    assert isinstance(mastodon.look_up(MENTION), CannotTell)
