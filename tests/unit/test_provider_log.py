"""The provider `log`: it accepts everything, and says so on stderr."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from send_queue.model import CHANNELS, CannotTell, Claimed, Sent
from send_queue.providers import Provider, takes_batches
from send_queue.providers.log import Log

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SEND = Claimed(
    send_id=UUID(int=1),
    attempt_id=UUID(int=2),
    attempt_number=1,
    channel="log",
    recipient="ana\n\x1b[31m",
    subject="a private subject",
    message="a private message",
    payload={"note": "a private note"},
    account_id=UUID(int=3),
    account="trial",
    provider="log",
    provider_account_id=None,
    secret_env=None,
    campaign="spring",
    started_at=NOON,
)


def test_it_is_a_provider_of_every_channel() -> None:
    """Any channel can be tried out with it, and no environment is needed."""
    log: Provider = Log({})

    assert log.channels == frozenset(CHANNELS)
    assert log.longest_call == timedelta(seconds=1)
    assert log.lag is None
    log.close()


def test_a_send_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For a machine: one line of JSON that says who, to whom and how, and nothing of the message."""
    outcome = Log({}).send(SEND)
    out, err = capsys.readouterr()

    assert outcome == Sent(None)
    assert out == ""
    assert err.count("\n") == 1
    assert json.loads(err) == {
        "event": "send",
        "send_id": str(SEND.send_id),
        "account": "trial",
        "channel": "log",
        "recipient": "ana\n\x1b[31m",
    }


def test_a_send_is_a_sentence_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a person: one line, in which a recipient cannot steer the terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Log({}).send(SEND)
    err = capsys.readouterr().err

    assert err == f'log: log to "ana\\n\\u001b[31m" from "trial" ({SEND.send_id})\n'
    assert "private" not in err


def test_many_sends_are_one_call_and_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """An outcome for each send, in their order."""
    sends = [replace(SEND, send_id=UUID(int=n), recipient=f"r{n}") for n in range(1, 4)]
    log = Log({})
    assert takes_batches(log)
    assert log.send_batch(sends) == [Sent(None)] * 3
    assert [json.loads(line)["recipient"] for line in capsys.readouterr().err.splitlines()] == ["r1", "r2", "r3"]


@pytest.mark.parametrize("closed", [True, False])
def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    """A stderr that is closed, or not there, stops nothing."""
    stderr = open("/dev/null", "w") if closed else None  # noqa: PTH123, SIM115  it is closed on purpose
    if stderr:
        stderr.close()
    monkeypatch.setattr(sys, "stderr", stderr)

    assert isinstance(Log({}).send(SEND), Sent)


def test_it_cannot_be_asked() -> None:
    """It keeps nothing."""
    assert isinstance(Log({}).look_up(SEND), CannotTell)
