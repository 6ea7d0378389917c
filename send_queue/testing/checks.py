"""The rules of every provider, one a check; each check's server misbehaves in one way."""

from __future__ import annotations

import gzip
import re
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeAlias

from send_queue.core.run import SEND_LEASE
from send_queue.model import (
    CHANNELS,
    CannotTell,
    ConfigurationError,
    Hold,
    Outcome,
    Retry,
    Sent,
    clock,
)
from send_queue.providers import takes_batches
from send_queue.testing.facing import DAY, Subject, _alone, _facing, _must, _must_be_named, _must_not_be_out, _outcome
from send_queue.testing.server import (
    ENDLESS,
    Server,
    babble,
    cut_off,
    echo,
    hang_up,
    reply,
    reset,
    silence,
)

Check: TypeAlias = Callable[[Subject], None]

CHECKS: list[Check] = []
"""All checks, in reading order."""


def _check(check: Check) -> Check:
    CHECKS.append(check)
    return check


# --- attributes -------------------------------------------------------------------------------------------


@_check
def it_says_what_it_is(subject: Subject) -> None:
    """It has known channels, calls shorter than a lease, and a lag or None."""
    with _facing(subject) as it:
        provider, channel = it.provider, it.send.channel
        _must(provider.channels and provider.channels <= set(CHANNELS), "`channels` holds some of", CHANNELS)
        _must(channel in provider.channels, "the subject's send is of a channel that it serves", channel)
        _must(timedelta() < provider.longest_call < SEND_LEASE, "`longest_call` is shorter than a lease", SEND_LEASE)
        _must(provider.lag is None or provider.lag >= timedelta(), "`lag` is a time, or None", provider.lag)
        provider.close()
        provider.close()


@_check
def what_its_environment_lacks_is_said(subject: Subject) -> None:
    """With an empty environment it works, or raises ConfigurationError and no other error."""
    try:
        subject.provider({}).close()
    except ConfigurationError as lacking:
        _must(str(lacking).strip().endswith("."), "the error names the missing variable in a sentence", str(lacking))


# --- no request left --------------------------------------------------------------------------------------


@_check
def nothing_listens_there(subject: Subject) -> None:
    """Without a server the send did not go out: Retry."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = _alone(subject, f"http://127.0.0.1:{port}")
    _must(isinstance(outcome, Retry), "nothing listens: Retry", outcome)


@_check
def nobody_has_that_name(subject: Subject) -> None:
    """If the name does not resolve, the send did not go out: Retry."""
    outcome = _alone(subject, "https://nowhere.invalid")
    _must(isinstance(outcome, Retry), "no such name: Retry", outcome)


@_check
def no_connection_comes_about(subject: Subject) -> None:
    """After a time-out before the request's first byte the send did not go out: Retry."""
    server = Server(mute=True)
    try:
        outcome = _alone(subject, f"https://127.0.0.1:{server.port}")
    finally:
        server.close()
    _must(isinstance(outcome, Retry), "no TLS in time: Retry", outcome)


@_check
def after_its_time_nothing_leaves(subject: Subject) -> None:
    """Past `leave_by` no request leaves: another run may be sending it."""
    with _facing(subject) as it:
        outcome = it.outcome(subject.yes or reply(200), replace(it.send, leave_by=clock() - 1))
        _must(not it.server.sends, "nothing leaves after `leave_by`: give it to `Http.request`", it.server.sends)
        _must(isinstance(outcome, Retry | Hold), "a send without a request is retried: Retry", outcome)


# --- it may have arrived ----------------------------------------------------------------------------------


@_check
def the_answer_is_lost(subject: Subject) -> None:
    """After no answer, a broken connection or half an answer the send may have gone out.

    Only a `repeatable` provider may answer Retry: its server recognises the send.
    """
    with _facing(subject) as it:
        for behave in (hang_up, reset, cut_off, babble, *ENDLESS):
            it.must_doubt(it.outcome(behave), f"{behave.__name__} after the request")
            _must(len(it.server.sends) == 1, "a request is made once, and not again", len(it.server.sends))


@_check
def the_server_is_in_trouble(subject: Subject) -> None:
    """After a 5xx, or a gateway's 408 or 499, the server behind it may have the request."""
    with _facing(subject) as it:
        for status in {408, 499, 500, 502, 503, 504} - subject.not_out:
            for body in BODIES:
                it.must_doubt(it.outcome(reply(status, body)), f"a {status} with {body[:20]!r}")


@_check
def a_yes_cannot_be_read(subject: Subject) -> None:
    """An unreadable yes is neither retried nor failed; it is Sent only if the status alone says so."""
    with _facing(subject) as it:
        answers = [reply(status, body) for status in (200, 201, 202) for body in (*BODIES, LONG)]
        packed = (b"not gzip at all", gzip.compress(b"0" * (64 << 20)))
        answers += [reply(200, body, Content_Encoding="gzip") for body in packed]
        for behave in answers:
            outcome = it.outcome(behave)
            if isinstance(outcome, Sent):
                _must_be_named(outcome)
            else:
                it.must_doubt(outcome, "a yes that cannot be read")


BODIES = (
    b"", b"<html><body>Bad Gateway</body></html>", b'{"id": ', b"null", b"[]", b'"text"', b"7", b"{}", b'{"id": {}}',
    b'{"error": null, "errors": [null], "message": {}, "detail": [], "type": 7, "code": "x"}', b"\xff\xfe\x00",
)  # fmt: skip
"""Undocumented answers of servers and gateways."""

LONG = b"x" * (3 << 20)
"""An answer longer than any real one."""


# --- it certainly did not arrive --------------------------------------------------------------------------


@_check
def it_is_refused(subject: Subject) -> None:
    """After a 4xx the send certainly did not go out."""
    with _facing(subject) as it:
        for status in (400, 401, 403, 404, 405, 410, 413, 415, 422):
            for body in BODIES:
                _must_not_be_out(it.outcome(reply(status, body)), f"a {status} with {body[:20]!r}")


@_check
def it_leads_elsewhere(subject: Subject) -> None:
    """Do not follow a redirect: message and key would go to its target."""
    with _facing(subject) as it:
        for status in (301, 302, 303, 307, 308):
            _must_not_be_out(it.outcome(reply(status, Location="/elsewhere")), f"a {status}")
            paths = [seen.path for seen in it.server.sends]
            _must("/elsewhere" not in paths, "redirects are not followed", paths)


@_check
def it_is_too_much(subject: Subject) -> None:
    """A 429 holds the lane or delays the send, for the time that the server asks for."""
    date = datetime.now(UTC)
    asked: Sequence[tuple[dict[str, str], timedelta]] = (
        ({}, timedelta()),
        ({"Retry_After": "soon"}, timedelta()),
        ({"Retry_After": str(int(DAY.total_seconds()))}, DAY),
        ({"Retry_After": format_datetime(date + DAY, usegmt=True), "Date": format_datetime(date, usegmt=True)},
         DAY - timedelta(seconds=1)),
    )  # fmt: skip
    with _facing(subject) as it:
        for headers, least in asked:
            outcome = it.outcome(reply(429, b"{}", **headers))
            _must(isinstance(outcome, Hold | Retry), "a 429: Hold, or Retry with `after`", outcome)
            after = getattr(outcome, "after", None)
            _must(isinstance(outcome, Retry) or after, "a 429 needs no person: a Hold with `after`", outcome)
            _must(not least or (after or timedelta()) >= least, f"{headers} is believed", outcome)


# --- it did arrive ----------------------------------------------------------------------------------------


@_check
def it_is_accepted(subject: Subject) -> None:
    """A yes of its server is Sent, with one request for one send."""
    if subject.yes:
        with _facing(subject) as it:
            outcome = it.outcome(subject.yes)
            _must(isinstance(outcome, Sent), "its server says yes: Sent", outcome)
            _must_be_named(outcome)
            _must(len(it.server.sends) == 1, "one send is one request", len(it.server.sends))


# --- secrets ----------------------------------------------------------------------------------------------


@_check
def it_shows_no_secrets(subject: Subject) -> None:
    """Outcomes hold neither keys nor the message, even if the answer repeats the request."""
    named = subject.env("http://127.0.0.1").items()
    keys = [value for name, value in named if re.search("KEY|TOKEN|SECRET|PASSWORD", name) and len(value) >= 8]
    with _facing(subject) as it:
        for status in (200, 302, 400, 401, 403, 404, 422, 429, 500):
            shown = repr(it.outcome(echo(status)))
            given = [seen.headers.get("authorization", "").rpartition(" ")[2] for seen in it.server.sends]
            for secret in filter(None, (*keys, *given, it.send.message)):
                _must(secret not in shown, f"a {status} that repeats the request shows no secret: hide it", shown)


# --- duration and threads ---------------------------------------------------------------------------------


@_check
def its_calls_are_as_short_as_it_says(subject: Subject) -> None:
    """All requests of one send together end within `longest_call`, on which the lease relies."""
    with _facing(subject) as it:
        longest = it.provider.longest_call.total_seconds()
        for behave in (reply(400), reply(404), reply(429), reply(500), subject.yes or reply(200), silence):
            began = time.monotonic()
            it.outcome(behave)
            _must(it.allowed <= longest, f"`longest_call` covers all requests, {it.allowed:g} s here", longest)
            _must(time.monotonic() - began < longest, "a call ends within `longest_call`", longest)


@_check
def several_at_once(subject: Subject) -> None:
    """It works from several threads, as `run` calls it."""
    with _facing(subject) as it:
        sends = it.others(12)
        it.server.behave = subject.yes or reply(400)
        with ThreadPoolExecutor(len(sends)) as threads:
            outcomes = list(threads.map(lambda send: _outcome(it.provider, send), sends))
        kinds = {type(outcome).__name__ for outcome in outcomes}
        _must(len(kinds) == 1, "equal answers have equal outcomes, on every thread", kinds)
        _must(len(it.server.sends) >= len(sends), "each send leaves", len(it.server.sends))


@_check
def several_in_a_call(subject: Subject) -> None:
    """A provider with `batch` returns an outcome for each send, whatever happens."""
    with _facing(subject) as it:
        if not takes_batches(it.provider):
            return
        sends = it.others(min(3, it.provider.batch))
        for it.server.behave in (reply(400), reply(429), reply(500), hang_up, subject.yes or reply(202)):
            outcomes = it.provider.send_batch(sends)
            _must(len(outcomes) == len(sends), "there is an outcome for each send", outcomes)
            _must(all(isinstance(one, Outcome) for one in outcomes), "each is an outcome", outcomes)


# --- look-ups ---------------------------------------------------------------------------------------------


@_check
def what_could_not_be_asked_proves_nothing(subject: Subject) -> None:
    """A look-up without an answer is CannotTell; NotThere would send again."""
    answers = (hang_up, reset, cut_off, babble, reply(400), reply(401), reply(403), reply(429), reply(500),
               reply(200, b"<html></html>", "text/html"), reply(302, Location="/elsewhere"), *ENDLESS)  # fmt: skip
    with _facing(subject) as it:
        in_doubt = replace(it.send, finished_at=it.send.started_at + timedelta(minutes=1))
        for it.server.behave in answers:
            try:
                said = it.provider.look_up(in_doubt)
            except Exception as error:
                raise AssertionError(f"look_up raised {type(error).__name__}: it answers, whatever happens.") from error
            _must(isinstance(said, CannotTell), "without a usable answer a look-up is CannotTell", said)
