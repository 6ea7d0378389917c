"""The base of the networks: one text on one profile, with the same kinds of errors.

A network is a subclass of `Network` in a module of its own, with its requests, a table of its errors and their
outcomes, and a search for a post with a lost answer. `Profile` is one account for one send.

    send     check the length; post once; judge the answer by the table
    look_up  read the profile's posts since the attempt, newest first, and compare texts

Most networks keep no id of ours, so the text identifies a post. Lists have the network's times, attempts the
database's; `find` says which times identify a post.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Hold,
    LookUp,
    Outcome,
    ProbeResult,
    Retry,
    Uncertain,
)
from send_queue.providers.address import base_url, checked_url
from send_queue.providers.credentials import secret_of
from send_queue.providers.http import Http
from send_queue.providers.http_answer import (
    MAX_WAIT,
    Answer,
    Limits,
    NoAnswer,
    advised,
    answered_at,
    plain,
    retry_after,
)
from send_queue.providers.intermediary import (
    IN_DOUBT_BY_STATUS,
    MAX_LANE_HOLDS,
    REQUEST_ONLY_STATUSES,
    tries_that_did_not_count,
)
from send_queue.providers.meaning import Meaning, outcome_of
from send_queue.providers.probe import read, remedy
from send_queue.providers.reach import host_of

POST = Limits(connect=10, read=45, total=60)
GET = Limits(connect=5, read=15, total=20)


# --- the meaning of errors --------------------------------------------------------------------------------


REFUSED = Meaning("failed")
IN_DOUBT = Meaning("uncertain")
EXPIRED = Meaning("expired")
DUPLICATE = Meaning("already_done", "duplicate_post")
UNKNOWN_ANSWER = Meaning("odd")


def waits(minutes: int, *, up_to: int | None = None, scope: Literal["lane", "account"] = "lane") -> Meaning:
    """Make the meaning of a rate limit: minutes to wait unless the answer gives a time, doubling up to `up_to`."""
    ceiling = timedelta(minutes=up_to) if up_to else None
    return Meaning("hold", scope=scope, after=timedelta(minutes=minutes), ceiling=ceiling)


def broken(advice: str) -> Meaning:
    """Make the meaning of an account that needs a person, with advice."""
    return Meaning("hold", scope="account", advice=advice)


RENEWAL = timedelta(minutes=15)
"""The wait for a token's renewal before the next try."""

MIN_WAIT = timedelta(seconds=30)
"""A hold's shortest time where the answer names its end."""


def judge(
    answer: Answer,
    send: Claimed,
    code: str | None,
    meanings: Mapping[str, Meaning],
    *,
    detail: str = "",
    wait: timedelta | None = None,
) -> Outcome:
    """Judge an answer other than a yes.

    `code` is the network's name of the error, spelled as in its table; None: the body is not the network's. `wait` is
    the answer's time to wait. The table has statuses too, as `http_429`.
    """
    status = answer.status
    meaning = meanings.get(code or "")
    name = spelled(code) if code else f"http_{status}"
    detail = detail or answer.text
    if meaning is None and (status >= 500 or status < 200 or status in IN_DOUBT_BY_STATUS):
        meaning = IN_DOUBT
    if meaning is None and (code is not None or status == 429):
        meaning = meanings.get(f"http_{status}", REFUSED)
    if meaning is None:
        return odd(status, answer.text, send)
    detail = plain(advised(detail, meaning.advice))
    match meaning.kind:
        case "expired":
            renewed = send.token is not None and send.secret_env is None
            advice = "" if renewed else " Give the account a new token, then resume it."
            return Hold("account", "token_expired", f"{detail}{advice}", RENEWAL if renewed else None, None, status)
        case "odd":
            return odd(status, detail, send, name)
        case "retry" if wait:
            meaning = replace(meaning, after=wait)
        case "hold" if wait is not None and meaning.after is not None:
            meaning = replace(meaning, after=max(wait, MIN_WAIT), ceiling=None)
    return outcome_of(meaning, name, detail, status)


def odd(status: int, said: str, send: Claimed, code: str = "unexpected_answer") -> Outcome:
    """Judge a refusal without a clear cause: it certainly did not go out, but may later.

    An unreadable yes is uncertain.
    """
    if 200 <= status < 300:
        return Uncertain("unreadable_answer", f"HTTP {status} with no answer of the network's in it.", status)
    held = tries_that_did_not_count(send)
    detail = plain(f"HTTP {status}: {said} Is the account's address right?" if code == "unexpected_answer" else said)
    if status in REQUEST_ONLY_STATUSES or held >= MAX_LANE_HOLDS:
        return Retry(code, detail, http_status=status)
    return Hold("lane", code, detail, after=timedelta(hours=1), http_status=status)


def spelled(code: str) -> str:
    """Spell a network's name of an error as in the tables.

    >>> spelled("ExpiredToken"), spelled("TOO_MANY_REQUESTS"), spelled("usage-capped")
    ('expired_token', 'too_many_requests', 'usage_capped')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code[:64])
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "unknown_error"


def reset_after(answer: Answer, header: str, now: datetime) -> timedelta | None:
    """Return the time until the moment in a header (seconds since 1970, or ISO 8601), by the server's clock if it gives
    one; else that of Retry-After; None without either."""
    value = answer.headers.get(header, "").strip()
    until: datetime | None = None
    try:
        if re.fullmatch(r"\d{1,11}(\.\d+)?", value, re.ASCII):
            until = datetime.fromtimestamp(float(value), UTC)
        elif value:
            until = datetime.fromisoformat(value)
            until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    except (ValueError, OverflowError, OSError):
        until = None
    if until is None:
        return retry_after(answer, now)
    return min(max(until - (answered_at(answer) or now), timedelta(0)), MAX_WAIT)


# --- an account at its network ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Profile:
    """An account at its network, for one send; its requests carry its token."""

    http: Http
    base: str
    post_limits: Limits
    get_limits: Limits
    token: str
    sending: Claimed
    until: float
    """Seconds on the monotonic clock: begin no request after it."""

    @property
    def id(self) -> str:
        """Return the network's id of the account; empty if unknown."""
        return (self.sending.provider_account_id or "").strip()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}

    def post(self, path: str, headers: Mapping[str, str] | None = None, **content: Any) -> Answer | NoAnswer:
        return self.http.request(
            "POST", self.base + path, limits=self.post_limits, headers={**self.bearer, **(headers or {})},
            leave_by=self.sending.leave_by, hide=self._secrets(), **content
        )  # fmt: skip

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer | CannotTell:
        """Request JSON; any answer but a yes proves nothing. `ask` returns other answers too."""
        answer = self.ask(path, params)
        if isinstance(answer, Answer) and (answer.status != 200 or not isinstance(answer.json, dict | list)):
            return CannotTell(f"http_{answer.status}: {answer.text}")
        return answer

    def ask(self, path: str, params: Mapping[str, str] | None = None) -> Answer | CannotTell:
        left = self.until - time.monotonic()
        if left <= 0:
            return CannotTell("The network answered too slowly to ask it everything.")
        limits = replace(self.get_limits, total=min(self.get_limits.total, left))
        answer = self.http.get(
            self.base + path, limits=limits, headers=self.bearer, params=params, hide=self._secrets()
        )
        return answer if isinstance(answer, Answer) else CannotTell(f"{answer.code}: {answer.detail}")

    def _secrets(self) -> tuple[str, str]:
        return self.token, self.sending.message


class Network(ABC):
    """A network. A subclass sets the attributes that are null here.

    name       its common name
    variable   the environment variable with its address, for rehearsals; it overrides an account's base_url
    default    its address; None: each account must name one
    longest    its limit in characters; an account's max_characters overrides it
    id_is      the form of an account's id, as a regular expression and in words; None: no id needed
    """

    channels: frozenset[str] = frozenset({"post"})
    longest_call: timedelta
    lag: timedelta | None = timedelta(minutes=2)
    """A plausible delay of lists; no network documents one."""

    name: str
    variable: str
    default: str | None = None
    longest: int
    id_is: tuple[str, str] | None = None

    def __init__(self, env: Mapping[str, str], *, post: Limits = POST, get: Limits = GET) -> None:
        self.env = env
        self._post, self._get = post, get
        self._http = Http(env=env)
        # Time for all pages of a look-up too, unless each comes at the last moment.
        self.longest_call = timedelta(seconds=post.total + 2 * get.total + 5)

    # --- defined by subclasses ----------------------------------------------------------------------------

    @classmethod
    def length(cls, text: str) -> int:
        """Return the text's length as the network counts."""
        return len(text)

    @abstractmethod
    def publish(self, profile: Profile, send: Claimed) -> Outcome:
        """Post the send, once."""

    @abstractmethod
    def find(self, profile: Profile, send: Claimed) -> LookUp:
        """Search the profile for the send."""

    def me(self, profile: Profile) -> tuple[Answer | CannotTell, str | None] | None:  # noqa: ARG002 — subclasses use it
        """Read the token's own profile: the answer, and the network's id in it. None: nothing may be read."""
        return None

    # --- called by runs -----------------------------------------------------------------------------------

    @classmethod
    def unfit(cls, text: str, settings: Mapping[str, Any]) -> str | None:
        """Return the refusal of a text, with the remedy; None: the network may accept it."""
        longest, length = _whole(settings.get("max_characters")) or cls.longest, cls.length(text)
        if length > longest:
            return f"The text has {length} characters as {cls.name} counts, over its {longest}: shorten it."
        return None

    def send(self, send: Claimed) -> Outcome:
        if wrong := self.unfit(send.message, send.settings):
            return Failed("too_long", wrong)
        profile = self._profile(send)
        if wrong := self._unknown(profile):
            return Hold("account", "provider_account_id_missing", wrong, after=timedelta(minutes=15))
        return self.publish(profile, send)

    def look_up(self, send: Claimed) -> LookUp:
        try:
            profile = self._profile(send)
        except ConfigurationError as error:
            return CannotTell(str(error))
        if wrong := self._unknown(profile):
            return CannotTell(wrong)
        return self.find(profile, send)

    def check(self, send: Claimed) -> None:
        self._profile(send)

    def probe(self, send: Claimed) -> ProbeResult:
        profile = self._profile(send)
        if wrong := self._unknown(profile):
            return ProbeResult("refused", wrong.rstrip("."))
        if (said := self.me(profile)) is None:
            return ProbeResult("unknown", f"{self.name} shows nothing to a token that may only post")
        answer, own = said
        result = read(answer, remedy(send), f"the token may not read its profile at {self.name}")
        if result.result == "reached" and own and profile.id and own != profile.id:
            advice = f"give it that id with `send-queue account set {send.account} --provider-account-id {own}`"
            return ProbeResult("refused", f"the token is that of {own}, the account has the id {profile.id}: {advice}")
        return result

    def hosts(self, send: Claimed) -> tuple[str]:
        return (host_of(self._base_of(send)),)

    def close(self) -> None:
        self._http.close()

    def _profile(self, send: Claimed) -> Profile:
        """Return the account with its token. Raises `ConfigurationError` without a token."""
        token = secret_of(send, self.env)
        until = time.monotonic() + self.longest_call.total_seconds()
        return Profile(self._http, self._base_of(send), self._post, self._get, token, send, until)

    def _base_of(self, send: Claimed) -> str:
        """Return the address of the account's network. Raises `ConfigurationError` without one."""
        own = send.settings.get("base_url")
        if own and not self.env.get(self.variable, "").strip():
            return checked_url(str(own), f"The setting base_url of the account {send.account}")
        if self.default is None and not self.env.get(self.variable, "").strip():
            raise ConfigurationError(
                f"The account {send.account} has no base_url: set it with `send-queue account set"
                f" {send.account} --set base_url=https://…`."
            )
        return base_url(self.env, self.variable, self.default)

    def _unknown(self, profile: Profile) -> str | None:
        """Return the reason why the account's id is not the network's; None: it may be."""
        if self.id_is is None or re.fullmatch(self.id_is[0], profile.id):
            return None
        return (
            f"{self.name} knows the account by {self.id_is[1]}: set it with `send-queue account set"
            f" {profile.sending.account} --provider-account-id ID`."
        )


def _whole(value: object) -> int | None:
    text = str(value)
    return int(text) if re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII) else None


def name_of(value: object) -> str | None:
    """Read the network's id as text; None for other values."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return plain(value, 200) or None if isinstance(value, str) else None


def id_in(answer: Answer | CannotTell, *path: str) -> str | None:
    """Read an id at a path in a JSON answer."""
    found = answer.json if isinstance(answer, Answer) else None
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return name_of(found)


def segment(value: str) -> str:
    """Quote a value as one segment of a path."""
    return quote(value.strip(), safe="")
