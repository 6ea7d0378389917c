"""Unipile, API v1: LinkedIn invitations and messages.

    send       resolve the recipient where it is a URL, POST once, read the answer (`judge`)
    look_up    is the account connected? then: the profile, the pending invitations, the chat's messages

Unipile has no idempotency key and no field for an id of ours, so a POST whose answer was lost is in doubt
until it is found, or surely is not there. What its answers mean is in unipile_answers.py, which is to be read first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import quote

from send_queue.model import (
    AlreadyDone,
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Found,
    Hold,
    LookUp,
    NotThere,
    Outcome,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.providers.address import base_url
from send_queue.providers.credentials import Refusals, refused
from send_queue.providers.http import Answer, Http, Limits, NoAnswer, answered_at, plain
from send_queue.providers.intermediary import tries_that_did_not_count
from send_queue.providers.reach import host_of
from send_queue.providers.unipile.errors import REFUSES_KEY, judge
from send_queue.rules import keys
from send_queue.rules.post_length import bare

Said: TypeAlias = dict[str, Any]
"""The JSON object of an answer that says yes."""


# --- the provider -----------------------------------------------------------------------------------------


POST = Limits(connect=10, read=45, total=60)
GET = Limits(connect=5, read=15, total=20)


class Unipile:
    """LinkedIn through Unipile.

    UNIPILE_DSN      the host and port from Unipile's dashboard, or a URL; http only on this machine.
    UNIPILE_API_KEY  the key, for the accounts that name none of their own in `secret_env`.
    """

    channels: frozenset[str] = frozenset({"linkedin_invite", "linkedin_message"})
    longest_call: timedelta
    lag: timedelta | None = timedelta(minutes=2)
    """Unipile states none: live users wait a minute or two before they believe that nothing is there."""

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        post: Limits = POST,
        get: Limits = GET,
    ) -> None:
        self._env = env
        # The DSN on Unipile's dashboard is a host and a port.
        self._base = base_url(env, "UNIPILE_DSN", path="/api/v1", like="api8.unipile.com:13851")
        self._post, self._get = post, get
        self._http = Http(env=env)
        self._refusals = Refusals()
        # At most: resolve the recipient, POST, ask what its refusal meant; and the time between them.
        self.longest_call = timedelta(seconds=get.total + post.total + get.total + 5)

    def send(self, send: Claimed) -> Outcome:
        account = self._account(send)
        if isinstance(account, Hold):
            return account
        outcome: Outcome
        if known := self._refusals.known(account.key):
            return known
        if send.channel == "linkedin_invite":
            outcome = _invite(account, send)
        elif send.channel == "linkedin_message":
            outcome = _message(account, send)
        else:
            return Failed("channel_not_served", f"Unipile does not serve the channel {plain(send.channel, 40)}.")
        if isinstance(outcome, Hold) and outcome.code in REFUSES_KEY:
            outcome = refused(outcome, send.secret_env or "UNIPILE_API_KEY")
            self._refusals.note(outcome, account.key)
        return outcome

    def look_up(self, send: Claimed) -> LookUp:
        try:
            account = self._account(send)
        except ConfigurationError as error:
            return CannotTell(str(error))
        if isinstance(account, Hold):
            return CannotTell(account.detail)
        connected = account.connected()
        if isinstance(connected, CannotTell):
            return connected
        if send.channel == "linkedin_invite":
            return _find_invitation(account, send)
        if send.channel == "linkedin_message":
            return _find_message(account, send, answered_at(connected))
        return CannotTell("Unipile does not serve this channel.")

    def hosts(self, send: Claimed) -> tuple[str]:  # noqa: ARG002 — the protocol's signature
        return (host_of(self._base),)

    def close(self) -> None:
        self._http.close()

    def _account(self, send: Claimed) -> _Account | Hold:
        """The account with its key. Raises `ConfigurationError` where this machine has none for it."""
        variable = send.secret_env or "UNIPILE_API_KEY"
        key = self._env.get(variable, "").strip()
        if not key or not (key.isascii() and key.isprintable()):
            what = "holds characters that no key has" if key else "is not set"
            raise ConfigurationError(f"{variable} {what}: set it to Unipile's key.")
        if not send.provider_account_id:
            return Hold(
                "account",
                "provider_account_id_missing",
                "The account has no id at Unipile: give it one with `send-queue account set`.",
                after=timedelta(minutes=15),
            )
        until = time.monotonic() + self.longest_call.total_seconds()
        return _Account(self._http, self._base, self._post, self._get, key, send.provider_account_id, send, until)


@dataclass(frozen=True, slots=True)
class _Account:
    """One account at Unipile, for one send: asks and posts with its key."""

    http: Http
    base: str
    post_limits: Limits
    get_limits: Limits
    key: str
    id: str
    sending: Claimed
    until: float
    """On the monotonic clock, in seconds: no question is asked after it."""

    def post(self, path: str, **content: Any) -> Answer | Outcome:
        answer = self.http.request(
            "POST", self.base + path, limits=self.post_limits, headers=self._headers(),
            leave_by=self.sending.leave_by, hide=self._secrets(), **content
        )  # fmt: skip
        return self._judge(answer)

    def get(self, path: str, **params: str) -> Said | Outcome:
        """Ask. No usable answer is Retry, for nothing was sent; Hold and Failed are those of `MEANINGS`."""
        answer = self._ask(path, **params)
        if isinstance(answer, Answer):
            said: Said = answer.json
            return said
        return answer

    def _ask(self, path: str, **params: str) -> Answer | Outcome:
        left = self.until - time.monotonic()
        if left <= 0:
            return Retry("deadline", "Unipile answered too slowly to ask it everything.")
        limits = replace(self.get_limits, total=min(self.get_limits.total, left))
        said = self._judge(
            self.http.get(self.base + path, limits=limits, headers=self._headers(), params=params, hide=self._secrets())
        )
        if isinstance(said, Uncertain | AlreadyDone):
            return Retry(said.code, said.detail, http_status=said.http_status)
        return said

    def profile(self, identifier: str) -> Said | Outcome:
        said = self.get(f"/users/{_segment(identifier)}", account_id=self.id)
        if isinstance(said, dict) and _id(said.get("provider_id")) is None:
            return Retry("unreadable_answer", "Unipile answered with a profile that names nobody.")
        return said

    def connected(self) -> CannotTell | Answer:
        """Unipile answers for a broken account too, from what it knew before: that proves nothing."""
        said = self._ask(f"/accounts/{_segment(self.id)}")
        if not isinstance(said, Answer):
            return _cannot_tell(said)
        sources = said.json.get("sources")
        if not isinstance(sources, list) or not sources:
            return CannotTell("Unipile does not say whether the account is connected.")
        if any(not isinstance(s, dict) or s.get("status") != "OK" for s in sources):
            return CannotTell("The account is not connected at Unipile, which then lists nothing new.")
        return said

    def search(self, path: str, match: Callable[[Said], LookUp], **params: str) -> LookUp:
        """Go through a list of Unipile's, newest pages first, until an item matches.

        Not there only if the whole list was read and every item could be compared.
        """
        result: LookUp = NotThere()
        for _ in range(MAX_PAGES):
            said = self.get(path, **params, limit=str(PER_PAGE))
            if not isinstance(said, dict):
                return _cannot_tell(said)
            items, cursor = said.get("items"), said.get("cursor")
            if not isinstance(items, list) or not isinstance(cursor, str | None):
                return CannotTell(UNKNOWN_SHAPE)
            for item in items:
                found = match(item) if isinstance(item, dict) else CannotTell(UNKNOWN_SHAPE)
                if isinstance(found, Found):
                    return found
                if isinstance(found, CannotTell):
                    result = found
            if not cursor:
                return result
            params["cursor"] = cursor
        return CannotTell(f"Unipile lists more than {MAX_PAGES * PER_PAGE}: the rest was not read.")

    def _judge(self, answer: Answer | NoAnswer) -> Answer | Outcome:
        held = tries_that_did_not_count(self.sending)
        return judge(answer, now=self.sending.started_at, hide=self._secrets(), held=held)

    def _secrets(self) -> tuple[str, str]:
        return self.key, self.sending.message

    def _headers(self) -> dict[str, str]:
        return {"X-API-KEY": self.key, "accept": "application/json"}


PER_PAGE = 250
"""The most that Unipile gives."""

MAX_PAGES = 8
"""2,000 items: LinkedIn lets nobody have many more invitations pending."""

UNKNOWN_SHAPE = "Unipile's list has a shape that is not known."


# --- sending ----------------------------------------------------------------------------------------------


def _invite(account: _Account, send: Claimed) -> Outcome:
    recipient = _resolved(account, send.recipient)
    if not isinstance(recipient, str):
        return recipient
    body = {"provider_id": recipient, "account_id": account.id}
    if send.message.strip():
        body["message"] = send.message
    if email := send.payload.get("user_email"):
        body["user_email"] = str(email)
    said = account.post("/users/invite", json=body)
    if isinstance(said, Answer):
        return Sent(_id(said.json.get("invitation_id")), said.status)
    if isinstance(said, Failed) and said.code == "already_invited_recently":
        return _really_invited(account, recipient, said)
    return _who_is_missing(account, said)


def _message(account: _Account, send: Claimed) -> Outcome:
    chat_id = send.payload.get("chat_id")
    if chat_id is not None:
        if not isinstance(chat_id, str) or not _segment(chat_id):
            return Failed("invalid_payload", "payload.chat_id must be the id of a chat.")
        path, fields = f"/chats/{_segment(chat_id)}/messages", [("text", send.message)]
        fields.append(("account_id", account.id))
    else:
        linkedin = send.payload.get("linkedin") or {}
        if not isinstance(linkedin, Mapping) or any(not isinstance(v, str | bool | int) for v in linkedin.values()):
            return Failed("invalid_payload", "payload.linkedin must be an object of texts and true or false.")
        recipient = _resolved(account, send.recipient)
        if not isinstance(recipient, str):
            return recipient
        path, fields = "/chats", [("account_id", account.id), ("attendees_ids", recipient)]
        fields.append(("text", send.message))
        if send.subject:
            fields.append(("subject", send.subject))
        fields += [(f"linkedin[{k}]", _form_value(v)) for k, v in linkedin.items()]
    # A part without a file name is a field: the only form that Unipile documents for chats.
    said = account.post(path, files=[(name, (None, value)) for name, value in fields])
    if isinstance(said, Answer):
        return Sent(_id(said.json.get("message_id")) or _id(said.json.get("chat_id")), said.status)
    return _who_is_missing(account, said)


def _resolved(account: _Account, recipient: str) -> str | Outcome:
    """The provider's id for a recipient. It holds for one account only, so that account is asked."""
    slug = _slug(recipient)
    if not _segment(recipient if slug is None else slug):
        return Failed("invalid_recipient", "The recipient is neither an id of LinkedIn's nor a profile's URL.")
    if slug is None:
        return keys.clean(recipient)
    profile = account.profile(slug)
    if isinstance(profile, dict):
        return _id(profile["provider_id"]) or ""
    return _who_is_missing(account, profile)


def _really_invited(account: _Account, recipient: str, refused: Failed) -> Outcome:
    """LinkedIn refuses a second invitation also for weeks after the first was withdrawn: which is it?"""
    profile = account.profile(recipient)
    if not isinstance(profile, dict):
        return Retry(refused.code, refused.detail, http_status=refused.http_status)
    done = _relation(profile)
    return AlreadyDone(done, refused.detail, refused.http_status) if done else refused


def _who_is_missing(account: _Account, outcome: Outcome) -> Outcome:
    """After a 404: Unipile says the same of a recipient as of an account whose id is wrong.

    Taken for the recipient's, a wrong account id would fail the whole queue, one send after another.
    """
    missing = ("resource_not_found", "invalid_resource_identifier")
    if not isinstance(outcome, Failed) or outcome.code not in missing:
        return outcome
    said = account.get(f"/accounts/{_segment(account.id)}")
    if isinstance(said, dict):
        return outcome
    if isinstance(said, Failed) and said.code in missing:
        advice = "Unipile has no account with this id: check it with `send-queue account show`."
        return Hold("account", "account_not_found", advice, http_status=outcome.http_status)
    return Retry(outcome.code, outcome.detail, http_status=outcome.http_status)


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

    # By the person, never by the time: Unipile makes the time from "Sent 1 day ago".
    def match(item: Said) -> LookUp:
        invited = item.get("invited_user_id")
        if not isinstance(invited, str):
            return CannotTell(UNKNOWN_SHAPE)
        return Found(_id(item.get("id"))) if invited in names else NotThere()

    return account.search("/users/invite/sent", match, account_id=account.id)


MAX_CLOCK_SKEW = timedelta(days=1)
"""By how much the database's clock may have been ahead of Unipile's at an attempt. Nobody overlooks more for long; a
clock that takes its local time for UTC is ahead by up to 14 hours."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""By how much two clocks that are kept right may differ."""


def _find_message(account: _Account, send: Claimed, now: datetime | None) -> LookUp:
    """Look for the text among what we wrote to the recipient; `now` is Unipile's clock.

    The times in its lists are Unipile's, `started_at` is the database's. Had that been ahead at the attempt, the
    message would be listed as older than its own attempt, also when the clock has been put right since: no list that
    begins near `started_at` proves that something is not there. Hence, from the oldest to the newest:

        older than AHEAD before the attempt   certainly not ours; it is not even asked for
        older than APART before the attempt   an older message, or ours by a clock that was ahead: a person can tell
        since then                            ours, if it has the text; if it has another, a person can tell whether
                                              LinkedIn has changed it on its way

    Where the attempt was given up at a moment that has not come yet by Unipile's clock, the database's was ahead by
    that much at the least, and all three begin as much earlier. `now` can prove no more, for how long ago the attempt
    was only the database's clock says. So an absence can be wrong only if that clock was ahead by more than AHEAD, and
    only from AHEAD after the attempt on.

    A text that is there twice is another send's at least once: neither is taken for ours.
    """
    given_up = max(send.started_at, send.finished_at or send.started_at)
    began = send.started_at - max(given_up - (now or given_up), timedelta())
    oldest, ours_since = began - MAX_CLOCK_SKEW, began - CLOCK_TOLERANCE
    wanted = bare(send.message)
    copies: dict[str, bool] = {}  # by the message's id: may it be told for ours by its time?

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
    """Look into every chat with the recipient that has something new."""
    names = _names(account, send.recipient)
    if not isinstance(names, frozenset):
        return _cannot_tell(names)

    def with_recipient(item: Said) -> LookUp:
        if item.get("type") in (1, 2) and not isinstance(item.get("type"), bool):
            return NotThere()  # a group, a channel: what is sent to one person goes to neither
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
    """The ids by which chats may name a recipient: as it is written, and LinkedIn's usual one (`ACoAA…`)."""
    if recipient.strip().startswith("ACoAA"):
        return frozenset({recipient.strip()})
    slug = _slug(recipient)
    if not _segment(recipient if slug is None else slug):
        return Failed("invalid_recipient", "The recipient is neither an id of LinkedIn's nor a profile's URL.")
    profile = account.profile(recipient.strip() if slug is None else slug)
    if not isinstance(profile, dict):
        return profile
    return frozenset({recipient.strip(), _id(profile["provider_id"]) or ""})


def _relation(profile: Said) -> str | None:
    """`already_connected` or `invitation_pending`, if the profile says so."""
    if profile.get("is_relationship") is True or profile.get("network_distance") == "FIRST_DEGREE":
        return "already_connected"
    invitation = profile.get("invitation")
    if isinstance(invitation, dict) and (invitation.get("type"), invitation.get("status")) == (
        "SENT",
        "PENDING",
    ):
        return "invitation_pending"
    return None


def _cannot_tell(outcome: Outcome) -> CannotTell:
    return CannotTell("" if isinstance(outcome, Sent) else f"{outcome.code}: {outcome.detail}")


# --- small things -----------------------------------------------------------------------------------------


def _slug(recipient: str) -> str | None:
    """The public name in a profile's URL; empty where there is none; null where it is no such URL.

    >>> _slug("https://www.linkedin.com/in/ana-mar%C3%ADa/?trk=x")
    'ana-maría'
    """
    cleaned = keys.clean(recipient)
    if (found := keys.profile(cleaned)) is not None:
        return found
    return "" if any(c in "/@#" for c in cleaned) else None


def _segment(value: str) -> str:
    """A value as one segment of a path; empty where it is none (`..` would lead to another address)."""
    value = value.strip()
    return quote(value, safe="") if value.strip(".") else ""


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return plain(value, 200) or None if isinstance(value, str) else None


def _form_value(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time(value: object) -> datetime | None:
    """A moment of Unipile's lists; null where it is none, or in no zone.

    >>> print(_time("2026-04-12T19:09:31.566Z"), _time("yesterday"))
    2026-04-12 19:09:31.566000+00:00 None
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _moment(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, the only form that Unipile takes."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
