"""Slack: what is posted, and what each of its words means for a send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY
from uuid import UUID

import pytest

from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Hold,
    Outcome,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.providers.http_answer import Answer
from send_queue.providers.slack import MEANINGS, VARIABLE, Slack, judge
from send_queue.sandbox import Fault, Sandbox
from send_queue.sandbox.slack import STATUS_OF

WORDS = {**STATUS_OF, "invalid_blocks": 400, "invalid_token": 403}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "journal.jsonl", sync=False) as sandbox:
        yield sandbox


def claimed(message: str = "Hi", **more: Any) -> Claimed:
    some = UUID(int=1)
    given: dict[str, Any] = {"payload": {}, "secret_env": None, **more}
    return Claimed(send_id=some, attempt_id=some, attempt_number=1, channel="webhook", recipient="team", subject=None,
                   message=message, account_id=some, account="team", provider="slack", provider_account_id=None,
                   campaign="notifications", started_at=datetime(2026, 3, 2, 9, tzinfo=UTC), **given)  # fmt: skip


def sent(send: Claimed, **env: str) -> Outcome:
    slack = Slack(env)
    try:
        return slack.send(send)
    finally:
        slack.close()


def test_a_message_is_posted_as_it_is(sandbox: Sandbox) -> None:
    """To the address that the account's variable has; nothing in its text is a command of Slack's."""
    send = claimed("R&D: <!channel> 1 < 2", secret_env="TEAM_URL", payload={"blocks": [{"type": "divider"}]})
    url = f"{sandbox.url}/services/T1/B1/secret"
    assert sent(send, TEAM_URL=url, SLACK_WEBHOOK_URL=f"{sandbox.url}/services/T2/B2/x") == Sent(None, 200)
    [entry] = sandbox.accepted()
    assert (entry["provider"], entry["account_id"]) == ("slack", "T1/B1")
    assert entry["text"] == "R&amp;D: &lt;!channel&gt; 1 &lt; 2"
    assert entry["blocks"] == [{"type": "divider"}]


@pytest.mark.parametrize(("word", "status"), WORDS.items())
def test_each_word_has_an_outcome(sandbox: Sandbox, word: str, status: int) -> None:
    """As the table says; what is wrong with the address needs a person, and costs the message no attempt."""
    sandbox.order(Fault(op="slack_post", status=status, type=word))
    outcome = sent(claimed(), SLACK_WEBHOOK_URL=f"{sandbox.url}/services/T1/B1/secret-token")
    expected: dict[str, Outcome] = {
        "failed": Failed(word, ANY, status),
        "hold": Hold("account", word, ANY, None, None, status),
        "uncertain": Uncertain(word, ANY, status),
    }
    if word == "rate_limited":
        assert outcome == Hold("lane", word, ANY, timedelta(seconds=30), None, status)
    else:
        if word in ("channel_not_found", "no_service", "invalid_token"):  # the address itself
            expected["hold"] = Hold("account", word, ANY, timedelta(minutes=15), None, status, VARIABLE)
        assert outcome == expected[MEANINGS[word]]
    assert sandbox.accepted() == []


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(429, {"retry-after": "7"}, None, "rate_limited"),
         Hold("lane", "rate_limited", ANY, timedelta(seconds=7), None, 429)),
        (Answer(404, {}, None, "<html>"), Hold("account", "http_404", ANY, None, None, 404)),
        (Answer(422, {}, None, "?"), Failed("http_422", ANY, 422)),
        (Answer(408, {}, None, ""), Uncertain("http_408", ANY, 408)),
        (Answer(503, {}, None, "away"), Uncertain("http_503", ANY, 503)),
        (Answer(302, {}, None, ""), Hold("account", "unexpected_redirect", ANY, None, None, 302)),
    ],
)  # fmt: skip
def test_words_that_are_not_slacks_are_read_by_their_status(answer: Answer, outcome: Outcome) -> None:
    """An address that leads elsewhere needs a person; a 5xx may have come through."""
    assert judge(answer) == outcome


def test_a_lost_answer_is_a_doubt(sandbox: Sandbox) -> None:
    """It cannot be asked."""
    sandbox.order(Fault(op="slack_post", drop="after"))
    assert isinstance(sent(claimed(), SLACK_WEBHOOK_URL=f"{sandbox.url}/services/T1/B1/x"), Uncertain)
    assert isinstance(Slack({}).look_up(claimed()), CannotTell)


def test_nothing_that_it_says_has_the_address(sandbox: Sandbox) -> None:
    """A proxy's error page may repeat it."""
    secret = "B000/very-secret-token"
    page = f"No to /services/T000/{secret}"
    sandbox.order(Fault(op="slack_post", status=403, body=page, headers={"content-type": "text/plain"}))
    outcome = sent(claimed(), SLACK_WEBHOOK_URL=f"{sandbox.url}/services/T000/{secret}")
    assert isinstance(outcome, Hold)
    assert "very-secret-token" not in outcome.detail
    nobody = sent(claimed(), SLACK_WEBHOOK_URL=f"http://127.0.0.1:1/services/T000/{secret}")
    assert nobody == Retry("connect_refused", ANY)
    assert "very-secret-token" not in repr(nobody)


@pytest.mark.parametrize("value", ["", "http://slack.example/services/a", "https://x/?y=1"])
def test_an_address_that_is_none_is_a_sentence(value: str) -> None:
    """It names the variable and does not repeat what is in it."""
    with pytest.raises(ConfigurationError, match="SLACK_WEBHOOK_URL") as wrong:
        sent(claimed(), SLACK_WEBHOOK_URL=value)
    assert "example" not in str(wrong.value)
