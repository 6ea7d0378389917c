"""Settle uncertain sends: query their providers, and record what the answers prove.

An uncertain send is never sent again before its provider was queried. "Found" settles it at once. "Not there" counts
once the provider's lag is over and a second look-up, a lag later, agrees: a list may be late. A provider that cannot
tell is queried again at growing distance; then a person decides, or the campaign's `on_uncertain`.

A `Repeatable` provider accepts the same send once, however often it comes: it is not queried, and the send goes again
while the provider is sure to know it.
"""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial
from typing import assert_never

from send_queue import store
from send_queue.core.calls import InFlight
from send_queue.core.results import LookUpResult
from send_queue.core.state import SEND_LEASE, Pass, Progress
from send_queue.model import CannotTell, ConfigurationError, Found, LookUp, NotThere
from send_queue.providers import FOREVER, Provider, Providers, repeatable_for
from send_queue.rules.backoff import look_up_again, retry_seconds
from send_queue.store import InDoubt


def ask(providers: Providers, doubt: InDoubt) -> LookUpResult:
    """Query the provider about one send, and judge its answer."""
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
    """Return what an answer proves at this moment."""
    match answer:
        case Found(provider_message_id):
            # The next look-up counts where this id turns out to be another send's.
            return LookUpResult("sent", provider_message_id, look_up_again(doubt.look_ups))
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
    """Send again after the campaign's back-off, if tries are left and the provider still knows the send by then."""
    send = doubt.send
    if repeatable is None or send.attempts >= send.max_attempts:
        return None
    wait = timedelta(seconds=retry_seconds(send.attempts, send.backoff_seconds, random.random()))
    if repeatable == FOREVER:
        return LookUpResult("repeat", again=wait)
    by = send.started_at + repeatable  # of the oldest uncertain attempt
    return LookUpResult("repeat", again=wait, repeat_by=by) if doubt.at + wait < by else None


def _asked(provider: Provider, doubt: InDoubt) -> LookUp:
    try:
        return provider.look_up(doubt.send)
    except Exception as error:  # a foreign provider may raise
        return CannotTell(type(error).__name__)


def begin_look_ups(pass_: Pass, in_flight: InFlight, progress: Progress) -> None:
    """Begin look-ups on free threads, a few a run."""
    while progress.asks and in_flight.free(ahead=False) and not pass_.stop.is_set():
        doubts = pass_.call(lambda conn, at: store.look_ups(conn, 1, SEND_LEASE, at))
        for doubt in doubts:
            in_flight.ask(doubt, partial(ask, pass_.providers, doubt))
        progress.look_ups_left -= len(doubts)
        progress.look_ups_due = bool(doubts)


def settle_doubt(pass_: Pass, doubt: InDoubt, result: LookUpResult, progress: Progress) -> None:
    """Record what a look-up proved, and count it."""
    send = doubt.send
    status = pass_.call(lambda conn, at: store.looked_up(conn, send.attempt_id, doubt.until, *result, at))
    if status is None:
        pass_.listener.warn(f"The send {send.send_id} was deleted while its provider was queried about it.")
        return
    pass_.listener.step("looked_up", send, status)
    if status == "uncertain":
        return
    report = progress.report
    if send.send_id in progress.uncertain_ids:
        progress.uncertain_ids.remove(send.send_id)
        report.uncertain -= 1
    report.send_id = send.send_id
    if status == "sent":
        report.sent += 1
        report.sent_to = send.recipient
    elif status == "failed":
        report.failed += 1
    else:
        report.retried += 1
