"""What dead runs and lost answers left behind: who may know is asked, and what nobody knows is said.

A send in doubt is never sent again before its provider has been asked. "It is there" settles it at once. "It is not
there" counts only when the provider's lag is over, and when it has been said twice, a lag apart: a list may be late.
A provider that cannot be asked, or cannot tell, is asked again at growing distance; after that it is a person's word,
or the campaign's `on_uncertain`.

Some providers accept the same send once, however often it comes (`Repeatable`). Those are not asked: it goes again,
unless it may come too late for that.
"""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial
from typing import assert_never

from send_queue import store
from send_queue.core import log_lines
from send_queue.core.calls import InFlight
from send_queue.core.results import LookUpResult
from send_queue.core.state import LOCK_WAIT_SECONDS, SEND_LEASE, Pass, RunReport
from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Found,
    LookUp,
    NotThere,
)
from send_queue.providers import FOREVER, Provider, Providers, repeatable_for
from send_queue.rules.backoff import look_up_again, retry_seconds
from send_queue.store import InDoubt


def ask(providers: Providers, doubt: InDoubt) -> LookUpResult:
    """Ask the provider about one send, and judge what it answers."""
    try:
        provider = providers.serving(doubt.send.provider, doubt.send.channel)
    except ConfigurationError:
        return LookUpResult("unknown", again=look_up_again(doubt.look_ups))
    repeat = _repeat(doubt, repeatable_for(provider))
    if repeat is not None:
        return repeat
    if provider.lag is None:
        return LookUpResult("unknown")
    return judge(doubt, provider.lag, _asked(provider, doubt))


def judge(doubt: InDoubt, lag: timedelta, answer: LookUp) -> LookUpResult:
    """What an answer proves at this moment."""
    match answer:
        case Found(provider_message_id):
            return LookUpResult("sent", provider_message_id, look_up_again(doubt.look_ups))  # it may be another send's
        case NotThere():
            age = doubt.at - (doubt.send.finished_at or doubt.send.started_at)
            if age < lag:
                return LookUpResult("early", again=lag - age)
            if doubt.absent_since is None or doubt.at - doubt.absent_since < lag:
                return LookUpResult("absent", again=lag)
            return LookUpResult("not_sent")
        case CannotTell():
            return LookUpResult("unknown", again=look_up_again(doubt.look_ups))
    assert_never(answer)


def _repeat(doubt: InDoubt, repeatable: timedelta | None) -> LookUpResult | None:
    """It goes again after the campaign's back-off, if tries are left and its provider still knows it by then."""
    send = doubt.send
    if repeatable is None or send.attempts >= send.max_attempts:
        return None
    wait = timedelta(seconds=retry_seconds(send.attempts, send.backoff_seconds, random.random()))
    if repeatable == FOREVER:
        return LookUpResult("repeat", again=wait)
    by = send.started_at + repeatable  # of the oldest attempt in doubt
    return LookUpResult("repeat", again=wait, repeat_by=by) if doubt.at + wait < by else None


def _asked(provider: Provider, doubt: InDoubt) -> LookUp:
    try:
        return provider.look_up(doubt.send)
    except Exception as error:  # a provider of one's own may break the rule
        return CannotTell(type(error).__name__)


LOOK_UPS_A_RUN = 10
"""How many sends in doubt one run asks about: each may take as long as a send."""


def ask_about_doubts(pass_: Pass, in_flight: InFlight, report: RunReport) -> None:
    """Begin to ask the providers about sends in doubt, with the in_flight that are free, a few a run."""
    while (
        report.in_doubt
        and pass_.resolve_doubts
        and in_flight.free(ahead=False)
        and report.look_ups_done < LOOK_UPS_A_RUN
        and not pass_.stop.is_set()
    ):
        doubts = pass_.call(LOCK_WAIT_SECONDS, lambda: store.look_ups(pass_.conn, 1, SEND_LEASE, pass_.now()))
        for doubt in doubts:
            in_flight.ask(doubt, partial(ask, pass_.providers, doubt))
        report.look_ups_done += len(doubts)
        report.in_doubt = bool(doubts)


def settle_doubt(pass_: Pass, doubt: InDoubt, verdict: LookUpResult, report: RunReport) -> None:
    """Write down what a provider said of a send in doubt."""
    status = pass_.call(
        LOCK_WAIT_SECONDS,
        lambda: store.looked_up(pass_.conn, doubt.send.attempt_id, doubt.until, *verdict, pass_.now()),
    )
    if status is None:
        pass_.warn(f"The send {doubt.send.send_id} was deleted while its provider was asked about it.")
        return
    if pass_.log:
        pass_.log(log_lines.log_event("looked_up", doubt.send, status))
    _count_settled(report, doubt.send, status)


def _count_settled(report: RunReport, send: Claimed, status: str) -> None:
    if status == "uncertain":
        return
    if send.send_id in report.uncertain_ids:
        report.uncertain_ids.remove(send.send_id)
        report.uncertain -= 1
    report.send_id = send.send_id
    if status == "sent":
        report.sent += 1
        report.sent_to = send.recipient
    elif status == "failed":
        report.failed += 1
    else:
        report.retried += 1
