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
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from send_queue.model import CannotTell, Claimed, ConfigurationError, Found, LookUp, NotThere
from send_queue.providers import FOREVER, Provider, Providers, repeatable_for
from send_queue.rules.backoff import look_up_again, retry_seconds
from send_queue.store import InDoubt


class LookUpResult(NamedTuple):
    """As send_looked_up takes it: the verdict, the provider's id of the send, when to ask or to send again, and until
    when a repeat is known again."""

    verdict: str
    provider_message_id: str | None = None
    again: timedelta | None = None
    repeat_by: datetime | None = None


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


def too_late(send: Claimed, lease: timedelta) -> bool:
    """Whether a repeat may arrive when its provider has forgotten the first try: it leaves within its lease."""
    return send.repeat_by is not None and send.started_at + lease > send.repeat_by


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
