"""Find a post among those that a network lists."""

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
"""Pages of a list that are read at the most: with 40 and more on each, a day of a busy profile."""


# --- finding a post again ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A post that the network lists; its text as it was sent, as far as the network gives it back so."""

    id: str
    text: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of what a profile has posted, newest first, and the network's clock where it says it."""

    posts: tuple[Listed, ...]
    at: datetime | None


Pages: TypeAlias = Iterable[Page | CannotTell]

MAX_CLOCK_SKEW = timedelta(days=1)
"""By how much the database's clock may have been ahead of the network's at an attempt. Nobody overlooks more for
long."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""By how much two clocks that are kept right may differ."""

UNKNOWN_SHAPE = "The network's list has a shape that is not known."


def since(send: Claimed) -> datetime:
    """The moment from which on a list must be read."""
    given_up = max(send.started_at, send.finished_at or send.started_at)
    return send.started_at - MAX_CLOCK_SKEW - (given_up - send.started_at)


def find(send: Claimed, pages: Pages, alike: Callable[[str], str] | None = None) -> LookUp:
    """Look for a post by its text. It is

        ours                 if it was posted not more than APART before the attempt
        for a person         if it is up to AHEAD older than that: an older post, or a clock was ahead
        certainly not ours   if it is older still

    Where the attempt was given up at a moment that has not come yet by the network's clock, the database's was ahead
    by that much at the least, and all of it begins as much earlier. A text that is there twice is for a person too.

    `alike` gives what is left of a text when all is taken out that the network rewrites: a post that has only that in
    common with ours is for a person.
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
            break  # newest first: what follows is older still
    match list(copies.items()):
        case []:
            return CannotTell("A post of that time has this text but for its links.") if resembles else NotThere()
        case [(name, True)]:
            return Found(name)
        case [_]:
            return CannotTell("The profile has this text from before the attempt: an older post, or a clock was wrong.")
        case _:
            return CannotTell("The profile has this text more than once.")


def too_many() -> CannotTell:
    return CannotTell(f"The profile has more than {MAX_PAGES} pages of posts since: the rest was not read.")


def moment(value: object) -> datetime | None:
    """A moment of a list, in ISO 8601 with a zone; null where it is none.

    >>> print(moment("2026-04-12T19:09:31.566Z"), moment("2026-04-12T19:09:31+0000"), moment("yesterday"))
    2026-04-12 19:09:31.566000+00:00 2026-04-12 19:09:31+00:00 None
    """
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
