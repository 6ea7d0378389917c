"""Search a network's list for a post."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from send_queue.model import (
    CannotTell,
    Claimed,
    Found,
    LookUp,
    NotThere,
)
from send_queue.rules.post_length import bare

MAX_PAGES = 5
"""The most pages read; with 40 posts or more each, a busy profile's day."""


# --- the search -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A listed post; its text as sent, as far as the network returns it so."""

    id: str
    text: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a profile's posts, newest first, and the network's clock if it gives it."""

    posts: tuple[Listed, ...]
    at: datetime | None


Pages: TypeAlias = Iterable[Page | CannotTell]

MAX_CLOCK_SKEW = timedelta(days=1)
"""The database's clock may have been ahead of the network's by this much; people notice more."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""The difference of two synchronised clocks at most."""

UNKNOWN_SHAPE = "The network's list has an unknown shape."


def since(send: Claimed) -> datetime:
    """Return the moment back to which the list must be read."""
    given_up = max(send.started_at, send.finished_at or send.started_at)
    return send.started_at - MAX_CLOCK_SKEW - (given_up - send.started_at)


def find(send: Claimed, pages: Pages, alike: Callable[[str], str] | None = None) -> LookUp:
    """Search for a post by its text. A post with it is

        ours           if posted at most CLOCK_TOLERANCE before the attempt
        for a person   if posted at most MAX_CLOCK_SKEW before that: an older post, or a clock was ahead
        not ours       if older

    If the attempt ended after the present moment of the network's clock, the database's was ahead: all limits move back
    by the difference. A person decides on a text that is there twice.

    `alike` removes from a text all that the network rewrites: a person decides on a post that equals ours only then.
    """
    wanted = send.message.strip()
    copies: dict[str, bool] = {}
    resembles = False
    for page in pages:
        if isinstance(page, CannotTell):
            return page
        given_up = max(send.started_at, send.finished_at or send.started_at)
        began = send.started_at - max(given_up - (page.at or given_up), timedelta())
        older = False
        for post in page.posts:
            if post.at is None or post.text is None:
                return CannotTell(UNKNOWN_SHAPE)
            if post.at < began - MAX_CLOCK_SKEW:
                older = True
            elif bare(post.text) == bare(wanted):
                copies[post.id] = post.at >= began - CLOCK_TOLERANCE
            elif alike is not None and alike(post.text) == alike(wanted):
                resembles = True
        if older:
            break  # newest first: the rest is older
    match list(copies.items()):
        case []:
            return CannotTell("A post of that time has this text except its links.") if resembles else NotThere()
        case [(name, True)]:
            return Found(name)
        case [_]:
            return CannotTell("The profile has this text from before the attempt: an older post, or a clock was wrong.")
        case _:
            return CannotTell("The profile has this text more than once.")


def too_many() -> CannotTell:
    return CannotTell(f"The profile has more than {MAX_PAGES} pages of posts since: the rest was not read.")


def moment(value: object) -> datetime | None:
    """Read a list's moment, in ISO 8601 with a zone; None for other values.

    >>> print(moment("2026-04-12T19:09:31.566Z"), moment("2026-04-12T19:09:31+0000"), moment("yesterday"))
    2026-04-12 19:09:31.566000+00:00 2026-04-12 19:09:31+00:00 None
    """
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
