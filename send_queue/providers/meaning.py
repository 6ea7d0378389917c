"""The meaning of a provider's no: one row of its table of errors, and the outcome that a row gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from send_queue.model import AlreadyDone, Failed, Hold, Outcome, Retry, Uncertain
from send_queue.providers.intermediary import MAX_LANE_HOLDS


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error means for a send.

    kind             an outcome of `model`; or one that the networks judge by the account: `expired`, the token has
                     ended; `odd`, neither text nor account is named as the cause (networks/base.py)
    code             the outcome's code; empty: the provider's own word
    scope            of a hold, as are `after` and `ceiling`; `after` also of a retry
    may_be_its_own   a hold for what may be wrong with one send only, such as its campaign's from-address: a send that
                     was held `MAX_LANE_HOLDS` times makes way for the others
    advice           a sentence that says what to do
    """

    kind: Literal["already_done", "retry", "hold", "failed", "uncertain", "expired", "odd"]
    code: str = ""
    scope: Literal["lane", "account"] = "lane"
    after: timedelta | None = None
    ceiling: timedelta | None = None
    may_be_its_own: bool = False
    advice: str = ""


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def outcome_of(
    meaning: Meaning, code: str, detail: str, status: int, *, held: int = 0, wait: timedelta | None = None
) -> Outcome:
    """Return the outcome of a row. `held` counts earlier tries that did not count; `wait` is what the answer requests,
    which lengthens a hold that has a ceiling."""
    code = meaning.code or code
    match meaning.kind:
        case "already_done":
            return AlreadyDone(code, detail, status)
        case "failed":
            return Failed(code, detail, status)
        case "retry":
            return Retry(code, detail, meaning.after, status)
        case "hold" if meaning.may_be_its_own and held >= MAX_LANE_HOLDS:
            return Retry(code, detail, http_status=status)
        case "hold":
            after, ceiling = meaning.after, meaning.ceiling
            if after is not None and ceiling is not None:
                after = max(after, wait or after)
                ceiling = max(after, ceiling)
            return Hold(meaning.scope, code, detail, after, ceiling, status)
        case _:
            return Uncertain(code, detail, status)
