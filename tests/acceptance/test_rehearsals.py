"""SEND_QUEUE_NOW: a rehearsal calls this machine only, and changes nothing about real time (invariant 23)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from acceptance.conftest import DAY, MINUTE, MONDAY, Queue
from send_queue.providers.reach import is_here
from send_queue.sandbox import Fault

PLACES: list[tuple[str, str, dict[str, str], dict[str, str], str]] = [
    ("unipile", "linkedin_invite", {"UNIPILE_DSN": "api8.unipile.invalid:13851"}, {}, "api8.unipile.invalid"),
    ("sendgrid", "email", {"SENDGRID_API_KEY": "SG.any"}, {"from": "a@example.com"}, "api.sendgrid.com"),
    ("twilio", "sms", {"TWILIO_AUTH_TOKEN": "any"}, {"from": "+15005550006"}, "api.twilio.com"),
    ("smtp", "email", {"SMTP_URL": "smtp://mail.example.invalid"}, {"from": "a@example.com"}, "mail.example.invalid"),
    ("smtp", "email", {}, {"from": "a@b.example", "smtp_url": "smtp://own.example.invalid"}, "own.example.invalid"),
    ("mastodon", "post", {"OWN": "any"}, {"base_url": "https://social.invalid"}, "social.invalid"),
    ("x", "post", {"OWN": "any"}, {}, "api.x.com"),
    ("slack", "webhook", {"OWN": "https://hooks.slack.invalid/services/T/B/secret"}, {}, "hooks.slack.invalid"),
    ("webhook", "webhook", {"OWN": "any"}, {}, "hooks.example.invalid"),
]
"""A provider and its channel, the environment and the settings that lead to it, and the host that it is at."""

RECIPIENTS = {"linkedin_invite": "ACoAA-0", "email": "ana@example.com", "sms": "+14155552671", "post": "own",
              "webhook": "https://hooks.example.invalid/x"}  # fmt: skip


def ready(queue: Queue, provider: str, channel: str, env: Mapping[str, str], settings: Mapping[str, str]) -> str:
    queue.env |= dict(env)
    queue.account("anna", channel, provider=provider)
    queue.put(
        "account", "anna", adding=False, settings=dict(settings), **({"secret_env": "OWN"} if "OWN" in env else {})
    )
    queue.account("other", "log", provider="log")
    queue.campaign("fall", quiet_from="00:00", quiet_until="00:00")
    [send_id] = queue.enqueue(channel=channel, recipient=RECIPIENTS[channel])
    return send_id


@pytest.mark.parametrize("command", ["run", "run-once"])
@pytest.mark.parametrize("place", PLACES, ids=[f"{p[0]}-{p[4]}" for p in PLACES])
def test_a_rehearsal_calls_this_machine_only(
    queue: Queue, place: tuple[str, str, dict[str, str], dict[str, str], str], command: str
) -> None:
    """78 and one sentence, before anything is claimed, whatever it is that names the host."""
    provider, channel, env, settings, host = place
    send_id = ready(queue, provider, channel, env, settings)
    done = queue(command, check=False)
    assert done.returncode == 78
    assert done.stderr.splitlines()[1:] == [
        f"send-queue: A rehearsal (SEND_QUEUE_NOW) calls nothing beyond this machine, and the account anna ({provider})"
        f" is at {host}: unset SEND_QUEUE_NOW, or start `send-queue sandbox` and name its address instead."
    ]
    assert queue.attempts(send_id) == []
    assert queue(command, "--account", "other").returncode == 0  # nothing that it could call
    if command == "run-once":
        assert "Would send" in queue(command, "--dry-run").stdout  # which calls nobody


def test_what_is_in_doubt_may_be_asked_about_whatever_the_filters_are(queue: Queue) -> None:
    """A run asks a provider about any send in doubt: so a rehearsal of another account is refused too."""
    send_id = ready(queue, *PLACES[0][:4])
    queue.conn.execute("update send_queue set status = 'uncertain', look_up_at = now() where id = %s", (send_id,))
    assert queue("run", "--account", "other", check=False).returncode == 78


def test_a_renewal_that_is_rehearsed_calls_this_machine_only(queue: Queue) -> None:
    """`tokens refresh` too, before it takes a token in hand."""
    from send_queue.rules.vault import new_key

    queue.env |= {"SEND_QUEUE_TOKEN_KEYS": new_key(), "X_CLIENT_ID": "app", "X_CLIENT_SECRET": "any"}
    queue.put("account", "brand", provider="x")
    queue("tokens", "set", "brand", "--expires-in", "2h", input="access-token\nrefresh-token\n")
    done = queue("tokens", "refresh", "--within", "9h", check=False)
    assert done.returncode == 78
    assert "the account brand (x) is at api.x.com: unset SEND_QUEUE_NOW" in done.stderr
    queue.env["X_BASE_URL"] = queue.sandbox.url
    assert queue("tokens", "refresh", "--within", "9h", check=False).returncode == 0


def test_the_dead_mans_switch_hears_nothing_of_a_rehearsal(queue: Queue) -> None:
    """It would believe that the runs are well."""
    queue.ready()
    done = queue("run-once", env={"SEND_QUEUE_PING_URL": "https://hc.example.invalid/uuid"})
    assert "SEND_QUEUE_PING_URL is not called: A rehearsal (SEND_QUEUE_NOW) calls nothing" in done.stderr
    assert queue.accepted() == ["ACoAA-0"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_what_is_this_machine(host: str) -> None:
    """127.0.0.0/8, ::1 and localhost, by name: no name server is asked."""
    assert is_here(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "127.1"])
def test_what_is_not(host: str) -> None:
    """Anything else, however it is spelled."""
    assert not is_here(host)


def test_a_call_is_looked_at_once_more(queue: Queue) -> None:
    """What comes in between the look and the claim is let go of: nothing is called, no attempt is spent."""
    from send_queue.model import ConfigurationError
    from send_queue.providers.http import Http
    from send_queue.providers.http_answer import Limits

    http = Http(env={"SEND_QUEUE_NOW": MONDAY.isoformat()})
    with pytest.raises(ConfigurationError, match="calls nothing beyond this machine"):
        http.request("POST", "https://api.example.invalid/", limits=Limits())
    queue.ready()
    assert queue.run_once(MONDAY + MINUTE)["sent"] == 1


# --- real time --------------------------------------------------------------------------------------------


def limits(queue: Queue) -> object:
    """What decides when lanes go, without what only says when they were last looked at."""
    return queue.conn.execute(
        "select account_id, channel, next_at, next_at_reason, next_at_detail, consecutive_holds, idle_until > now() + "
        "interval '2 hours', (select coalesce(sum(used), 0)::int from send_usage) from send_lanes order by 1, 2"
    ).fetchall()


def test_a_hold_of_the_provider_outlasts_a_rehearsal(queue: Queue) -> None:
    """It is over at the moment that was rehearsed, and not now."""
    now = datetime.now(UTC)
    queue.ready(rows=2)
    queue.sandbox.order(Fault(op="invite", status=422, type="limit_exceeded", times=1))
    queue("run-once", now=None)
    held = limits(queue)
    assert queue.run_once(now + 3 * DAY)["sent"] == 1
    assert queue.run_once(None)["reason"] == "provider_hold"
    assert limits(queue) == held


def test_resume_lane_ends_a_hold_that_was_rehearsed(queue: Queue) -> None:
    """A limit that a provider of a rehearsal named holds nobody now."""
    queue.ready(rows=2)
    queue.sandbox.order(Fault(op="invite", status=422, type="limit_exceeded", times=1))
    queue("run-once", now=datetime.now(UTC) + 3 * DAY)
    queue("resume", "lane", "anna", "linkedin_invite", now=None)
    assert queue.json("explain", queue.enqueue(at=MONDAY)[0], now=None)["verdict"] in ("due_now", "waiting")
    assert queue.conn.execute("select next_at_reason from send_lanes").fetchall() == [(None,)]
    assert queue.run_once(None)["sent"] == 1


def test_what_a_rehearsal_had_in_doubt_or_let_expire_waits_again(queue: Queue) -> None:
    """It went to a sandbox, if at all, and its time is not over."""
    now = datetime.now(UTC)
    [lost, late] = [*queue.ready(rows=1), *queue.enqueue(expires_at=now + DAY, priority=200)]
    queue.sandbox.order(Fault(op="invite", drop="before", times=1))
    queue("run-once", now=now + 3 * DAY)
    assert (queue.row(lost)["status"], queue.row(late)["status"]) == ("uncertain", "skipped")
    queue.sandbox.order(Fault(op="invite", status=422, type="limit_exceeded"))
    queue("run-once", now=None)
    assert (queue.row(lost)["status"], queue.row(late)["status"]) == ("pending", "pending")


def test_a_rehearsal_declares_nobody_dead(queue: Queue) -> None:
    """A send that is under way now is not in doubt since a rehearsal believes that its lease is over; and what is in
    doubt in earnest is no sandbox's to settle."""
    [going, doubt] = queue.ready(rows=2, max_in_flight=2)
    queue.conn.execute("select send_claim('w', 2)")
    queue.conn.execute("update send_queue set lease_expires_at = now() - interval '1 s' where id = %s", (doubt,))
    queue.conn.execute("select send_recover()")
    queue("run", now=datetime.now(UTC) + 3 * DAY)
    assert (queue.row(going)["status"], queue.row(doubt)["status"]) == ("sending", "uncertain")
    assert queue.attempts(doubt) == [("uncertain", "lease_expired")]
