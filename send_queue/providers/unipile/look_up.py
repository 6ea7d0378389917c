"""Look up whether an invitation or a message went out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from send_queue.model import (
    CannotTell,
    Claimed,
    Failed,
    Found,
    LookUp,
    NotThere,
    Outcome,
)
from send_queue.providers.unipile.api import (
    UNKNOWN_SHAPE,
    Said,
    _Account,
    _cannot_tell,
    _id,
    _moment,
    _relation,
    _segment,
    _slug,
    _time,
)
from send_queue.rules.post_length import bare

# --- looking up -------------------------------------------------------------------------------------------


def _find_invitation(account: _Account, send: Claimed) -> LookUp:
    slug = _slug(send.recipient)
    if not _segment(send.recipient if slug is None else slug):
        return CannotTell("The recipient is neither an id of LinkedIn's nor a profile's URL.")
    profile = account.profile(send.recipient.strip() if slug is None else slug)
    if not isinstance(profile, dict):
        return _cannot_tell(profile)
    if _relation(profile):
        invitation = profile.get("invitation")
        return Found(_id(invitation.get("id")) if isinstance(invitation, dict) else None)
    names = {send.recipient.strip(), _id(profile.get("provider_id"))}

    # By the person, not by the time, which Unipile derives from "Sent 1 day ago".
    def match(item: Said) -> LookUp:
        invited = item.get("invited_user_id")
        if not isinstance(invited, str):
            return CannotTell(UNKNOWN_SHAPE)
        return Found(_id(item.get("id"))) if invited in names else NotThere()

    return account.search("/users/invite/sent", match, account_id=account.id)


MAX_CLOCK_SKEW = timedelta(days=1)
"""The database's clock may have been ahead of Unipile's by this much at an attempt: local time taken for UTC is ahead
by up to 14 hours."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""The difference of two synchronised clocks at most."""


def _find_message(account: _Account, send: Claimed, now: datetime | None) -> LookUp:
    """Search our messages to the recipient for the text; `now` is Unipile's clock.

    Lists have Unipile's times, `started_at` is the database's. If the database's clock was ahead at the attempt, the
    message seems older than its attempt, so no list that begins near `started_at` proves an absence. A message is

        not ours       if older than MAX_CLOCK_SKEW before the attempt; such ones are not requested
        for a person   if older than CLOCK_TOLERANCE before the attempt: an older one, or the clock was ahead
        ours           if later, with the text; with another text a person decides, as LinkedIn may have changed it

    If the attempt ended after `now`, the database's clock was ahead by the difference at least: all limits move back by
    it. So an absence can be wrong only if that clock was ahead by more than MAX_CLOCK_SKEW, and only later than that
    after the attempt.

    A text that is there twice is another send's at least once, so a person decides.
    """
    given_up = max(send.started_at, send.finished_at or send.started_at)
    began = send.started_at - max(given_up - (now or given_up), timedelta())
    oldest, ours_since = began - MAX_CLOCK_SKEW, began - CLOCK_TOLERANCE
    wanted = bare(send.message)
    copies: dict[str, bool] = {}  # by the message's id: whether its time makes it ours

    def note(item: Said) -> LookUp:
        is_sender, text, name = item.get("is_sender"), item.get("text"), _id(item.get("id"))
        if is_sender in (0, False):
            return NotThere()
        if is_sender not in (1, True) or name is None:
            return CannotTell(UNKNOWN_SHAPE)
        at = _time(item.get("timestamp"))
        if at is not None and at < oldest:
            return NotThere()
        if not isinstance(text, str) or bare(text) != wanted:
            return CannotTell("The chat has another message of ours from that time.")
        copies[name] = at is not None and at >= ours_since
        return NotThere()

    def in_chat(chat_id: str) -> LookUp:
        return account.search(f"/chats/{_segment(chat_id)}/messages", note, after=_moment(oldest))

    chat_id = send.payload.get("chat_id")
    if isinstance(chat_id, str) and _segment(chat_id):
        others = in_chat(chat_id)
    else:
        others = _in_chats_with(account, send, in_chat, after=_moment(oldest))
    match list(copies.items()):
        case []:
            return others
        case [(name, True)]:
            return Found(name)
        case [_]:
            return CannotTell("The chat has this text from before the attempt: an older one, or a clock was wrong.")
        case _:
            return CannotTell("The chat has this text more than once.")


def _in_chats_with(account: _Account, send: Claimed, in_chat: Callable[[str], LookUp], after: str) -> LookUp:
    """Search every chat with the recipient that has new messages."""
    names = _names(account, send.recipient)
    if not isinstance(names, frozenset):
        return _cannot_tell(names)

    def with_recipient(item: Said) -> LookUp:
        if item.get("type") in (1, 2) and not isinstance(item.get("type"), bool):
            return NotThere()  # a group or a channel, where no send to one person goes
        attendee, chat = item.get("attendee_provider_id"), _id(item.get("id"))
        if not isinstance(attendee, str) or chat is None or not _segment(chat):
            return CannotTell(UNKNOWN_SHAPE)
        return in_chat(chat) if attendee in names else NotThere()

    found = account.search("/chats", with_recipient, account_id=account.id, after=after)
    if isinstance(found, NotThere) and send.payload.get("linkedin"):
        # Sales Navigator and Recruiter have ids of their own for the same person.
        return CannotTell("An InMail's chat may name its recipient by another id.")
    return found


def _names(account: _Account, recipient: str) -> frozenset[str] | Outcome:
    """Return the recipient's ids in chats: as written, and LinkedIn's usual one (`ACoAA…`)."""
    if recipient.strip().startswith("ACoAA"):
        return frozenset({recipient.strip()})
    slug = _slug(recipient)
    if not _segment(recipient if slug is None else slug):
        return Failed("invalid_recipient", "The recipient is neither an id of LinkedIn's nor a profile's URL.")
    profile = account.profile(recipient.strip() if slug is None else slug)
    if not isinstance(profile, dict):
        return profile
    return frozenset({recipient.strip(), _id(profile["provider_id"]) or ""})
