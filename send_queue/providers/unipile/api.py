"""One account at Unipile: its calls, and the forms of its values."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import quote

from send_queue.model import (
    AlreadyDone,
    CannotTell,
    Claimed,
    Found,
    LookUp,
    NotThere,
    Outcome,
    Retry,
    Sent,
    Uncertain,
)
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Answer, Limits, NoAnswer, plain
from send_queue.providers.intermediary import tries_that_did_not_count
from send_queue.providers.unipile.errors import judge
from send_queue.rules import keys

Said: TypeAlias = dict[str, Any]
"""The JSON object of a yes."""


# --- the provider -----------------------------------------------------------------------------------------


POST = Limits(connect=10, read=45, total=60)
GET = Limits(connect=5, read=15, total=20)


@dataclass(frozen=True, slots=True)
class _Account:
    """One account at Unipile, for one send; its requests carry its key."""

    http: Http
    base: str
    post_limits: Limits
    get_limits: Limits
    key: str
    id: str
    sending: Claimed
    until: float
    """Seconds on the monotonic clock: begin no request after it."""

    def post(self, path: str, **content: Any) -> Answer | Outcome:
        answer = self.http.request(
            "POST", self.base + path, limits=self.post_limits, headers=self._headers(),
            leave_by=self.sending.leave_by, hide=self._secrets(), **content
        )  # fmt: skip
        return self._judge(answer)

    def get(self, path: str, **params: str) -> Said | Outcome:
        """Request JSON. An unusable answer is Retry: nothing was sent. Hold and Failed are those of `MEANINGS`."""
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
        """Check that the account is connected: for a broken one Unipile's answers come from a cache."""
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
        """Search a list, newest pages first, for an item that matches.

        `NotThere` only if the whole list was read and every item was comparable.
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
"""The most that Unipile lists."""

MAX_PAGES = 8
"""2,000 items: LinkedIn allows few more pending invitations."""

UNKNOWN_SHAPE = "Unipile's list has an unknown shape."


def _relation(profile: Said) -> str | None:
    """Return `already_connected` or `invitation_pending` by the profile; None: neither."""
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
    """Return the public name in a profile's URL; empty without one; None if it is no such URL.

    >>> _slug("https://www.linkedin.com/in/ana-mar%C3%ADa/?trk=x")
    'ana-maría'
    """
    cleaned = keys.clean(recipient)
    if (found := keys.profile(cleaned)) is not None:
        return found
    return "" if any(c in "/@#" for c in cleaned) else None


def _segment(value: str) -> str:
    """Quote a value as one segment of a path; empty if it cannot be one (`..` leads to another address)."""
    value = value.strip()
    return quote(value, safe="") if value.strip(".") else ""


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return plain(value, 200) or None if isinstance(value, str) else None


def _form_value(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time(value: object) -> datetime | None:
    """Read a moment of Unipile's lists; None for other values, or without a zone.

    >>> print(_time("2026-04-12T19:09:31.566Z"), _time("yesterday"))
    2026-04-12 19:09:31.566000+00:00 None
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _moment(moment: datetime) -> str:
    """Write ISO 8601 in UTC with milliseconds, the only form that Unipile takes."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
