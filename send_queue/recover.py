"""What dead runs and lost answers left behind: who may know is asked, and what nobody knows is said.

A send in doubt is never sent again before its provider has been asked. "It is there" settles it at once. "It is not
there" counts only when the provider's lag is over, and when it has been said twice, a lag apart: a list may be late.
A provider that cannot be asked, or cannot tell, is asked again at growing distance; after that it is a person's word,
or the campaign's `on_uncertain`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from send_queue.backoff import look_up_again
from send_queue.model import CannotTell, ConfigurationError, Found, LookUp, NotThere
from send_queue.providers import Provider, Providers
from send_queue.store import InDoubt

Verdict = tuple[str, str | None, timedelta | None]
"""As send_looked_up takes it: the verdict, the provider's id of the send, when to ask again."""


def ask(providers: Providers, doubt: InDoubt) -> Verdict:
    """Ask the provider about one send, and judge what it answers."""
    try:
        provider = providers.serving(doubt.send.provider, doubt.send.channel)
    except ConfigurationError:
        return "unknown", None, look_up_again(doubt.look_ups)
    if provider.lag is None:
        return "unknown", None, None
    return judge(doubt, provider.lag, _asked(provider, doubt))


def judge(doubt: InDoubt, lag: timedelta, answer: LookUp) -> Verdict:
    """What an answer proves at this moment."""
    match answer:
        case Found(provider_message_id):
            return "sent", provider_message_id, look_up_again(doubt.look_ups)  # it may be another send's
        case NotThere():
            age = doubt.at - (doubt.send.finished_at or doubt.send.started_at)
            if age < lag:
                return "early", None, lag - age
            if doubt.absent_since is None or doubt.at - doubt.absent_since < lag:
                return "absent", None, lag
            return "not_sent", None, None
        case CannotTell():
            return "unknown", None, look_up_again(doubt.look_ups)
    assert_never(answer)


def _asked(provider: Provider, doubt: InDoubt) -> LookUp:
    try:
        return provider.look_up(doubt.send)
    except Exception as error:  # a provider of one's own may break the rule
        return CannotTell(type(error).__name__)
