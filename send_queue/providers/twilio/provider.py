"""Twilio, Programmable Messaging: SMS and MMS.

    send       POST once to the account's Messages, and judge the answer
    look_up    search the account's messages to the recipient for the text

Twilio has no idempotency key, so a POST with a lost answer is uncertain until a look-up finds the message or proves its
absence. With a status callback URL set, each message carries it with our id at its end: the first callback identifies
the message even if its answer was lost.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from send_queue.model import (
    CannotTell,
    Claimed,
    ConfigurationError,
    Failed,
    Found,
    Hold,
    LookUp,
    NotThere,
    Outcome,
    ProbeResult,
    Sent,
)
from send_queue.providers.address import base_url, checked_url
from send_queue.providers.credentials import Refusals, refused, secret_of, variable_of
from send_queue.providers.environment import minutes
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Answer, Limits, answered_at, plain
from send_queue.providers.intermediary import tries_that_did_not_count
from send_queue.providers.probe import read, remedy
from send_queue.providers.reach import host_of
from send_queue.providers.twilio.errors import REFUSES_KEY, SUPPRESSES, judge, sid_of
from send_queue.rules.recipients import e164
from send_queue.rules.sms import MAX_TEXT_CHARS

POST = Limits(connect=10, read=45, total=60)
GET = Limits(connect=5, read=15, total=20, max_bytes=8 << 20)

LAG = timedelta(minutes=2)
"""Twilio states none; TWILIO_LAG_MINUTES overrides it."""

MAX_MEDIA_ITEMS = 10


class Twilio:
    """SMS through Twilio.

    TWILIO_AUTH_TOKEN   the token, or an API key's secret, of accounts without `secret_env`
    TWILIO_ACCOUNT_SID  the SID of accounts without provider-account-id

    Settings of an account, or of its place in a campaign:

    from, messaging_service_sid   the sending number, or a service that chooses one; one of the two is required
    status_callback_url           the URL for Twilio's status callbacks, to which our id is appended; default
                                  TWILIO_STATUS_CALLBACK_URL, else no callbacks
    validity_period               seconds, 1 to 36000, after which Twilio drops a waiting message
    api_key_sid                   the SID of an API key (SK…); the account's secret is then its secret
    """

    channels: frozenset[str] = frozenset({"sms"})
    longest_call: timedelta
    lag: timedelta | None
    suppresses: frozenset[str] = SUPPRESSES
    secret: str = "TWILIO_AUTH_TOKEN"

    def __init__(self, env: Mapping[str, str], *, post: Limits = POST, get: Limits = GET) -> None:
        self._env = env
        self._base = base_url(env, "TWILIO_BASE_URL", "https://api.twilio.com")
        self._callback = env.get("TWILIO_STATUS_CALLBACK_URL", "").strip()
        if self._callback:
            checked_url(self._callback, "TWILIO_STATUS_CALLBACK_URL")
        self._post, self._get = post, get
        self._http = Http(env=env)
        self._refusals = Refusals()
        self.lag = minutes(env, "TWILIO_LAG_MINUTES", LAG, least=1)
        self.longest_call = timedelta(seconds=post.total + 5)

    def send(self, send: Claimed) -> Outcome:
        account = self._account(send)
        if isinstance(account, Hold):
            return account
        form = self._form(send)
        if not isinstance(form, dict):
            return form
        if known := self._refusals.known(account.basic):
            return known
        hide = (account.secret, account.basic, send.message)
        answer = self._http.request(
            "POST", account.messages, limits=self._post, headers=account.headers(), data=form,
            leave_by=send.leave_by, hide=hide,
        )  # fmt: skip
        said = judge(answer, now=send.started_at, hide=hide, held=tries_that_did_not_count(send))
        if isinstance(said, Answer):
            return Sent(sid_of(said.json), said.status)
        if isinstance(said, Hold) and said.code in REFUSES_KEY:
            said = refused(said, variable_of(send, self.secret))
            self._refusals.note(said, account.basic)
        return said

    def look_up(self, send: Claimed) -> LookUp:
        try:
            account = self._account(send)
            to = e164(send.recipient)
        except (ConfigurationError, ValueError) as error:
            return CannotTell(str(error))
        if isinstance(account, Hold):
            return CannotTell(account.detail)
        # Search by recipient alone: the sender may have changed since, and a message without DateSent would escape
        # a filter by date.
        answer = self._http.get(
            account.messages, limits=self._get, headers=account.headers(), params={"To": to, "PageSize": str(PER_PAGE)},
            hide=(account.secret, account.basic, send.message),
        )  # fmt: skip
        if not isinstance(answer, Answer):
            return CannotTell(f"{answer.code}: {answer.detail}")
        listed = answer.json.get("messages") if isinstance(answer.json, Mapping) else None
        if answer.status != 200 or not isinstance(listed, list):
            return CannotTell(f"HTTP {answer.status} instead of a list: {answer.text}")
        if answer.json.get("next_page_uri"):
            return CannotTell(f"Twilio has more than {PER_PAGE} messages to this number: not all were read.")
        return find(send, listed, answered_at(answer))

    def check(self, send: Claimed) -> None:
        self._account(send)

    def probe(self, send: Claimed) -> ProbeResult:
        """List one message: API keys of any kind may, and none may read the account itself."""
        account = self._account(send)
        if isinstance(account, Hold):
            return ProbeResult("refused", account.detail.rstrip("."))
        answer = self._http.get(
            account.messages, limits=self._get, headers=account.headers(), params={"PageSize": "1"},
            hide=(account.secret, account.basic),
        )  # fmt: skip
        return read(answer, f"{remedy(send, self.secret)}, and check the account's SID")

    def hosts(self, send: Claimed) -> tuple[str]:  # noqa: ARG002 — the protocol's signature
        return (host_of(self._base),)

    def close(self) -> None:
        self._http.close()

    def _account(self, send: Claimed) -> _Account | Hold:
        """Return the account with its secret. Raises `ConfigurationError` without a secret on this machine."""
        secret = secret_of(send, self._env, self.secret)
        sid = (send.provider_account_id or self._env.get("TWILIO_ACCOUNT_SID", "")).strip()
        if not re.fullmatch(r"[A-Za-z0-9]+", sid):
            return Hold(
                "account",
                "provider_account_id_missing",
                "The account has no SID: give it one with `send-queue account set --provider-account-id`,"
                " or set TWILIO_ACCOUNT_SID.",
                after=timedelta(minutes=15),
            )
        user = _text(send.settings.get("api_key_sid")) or sid
        return _Account(f"{self._base}/2010-04-01/Accounts/{sid}/Messages.json", user, secret)

    def _form(self, send: Claimed) -> dict[str, Any] | Outcome:
        """Return the fields of the request, or the outcome that prevents it."""
        try:
            form: dict[str, Any] = {"To": e164(send.recipient)}
        except ValueError as error:
            return Failed("invalid_recipient", plain(str(error)))
        service, sender = (_text(send.settings.get(name)) for name in ("messaging_service_sid", "from"))
        if service:
            form["MessagingServiceSid"] = service
        elif sender:
            form["From"] = sender
        else:
            return Hold(
                "lane",
                "sender_missing",
                f"The account {send.account} has no number to send from: set one with"
                f" `send-queue account set {send.account} --set from=+1…`, or a messaging_service_sid.",
                after=timedelta(minutes=15),
            )
        media = send.payload.get("media_urls") or []
        if not isinstance(media, list) or len(media) > MAX_MEDIA_ITEMS or not all(map(_is_url, media)):
            return Failed("invalid_payload", f"payload.media_urls must be a list of at most {MAX_MEDIA_ITEMS} URLs.")
        if len(send.message) > MAX_TEXT_CHARS:
            return Failed("message_too_long", f"The text has {len(send.message)} characters, {MAX_TEXT_CHARS} may go.")
        if not send.message.strip() and not media:
            return Failed("empty_message", "The message has neither text nor media.")
        if send.message.strip():
            form["Body"] = send.message
        if media:
            form["MediaUrl"] = media
        period = _text(send.settings.get("validity_period"))
        if period:
            if not re.fullmatch(r"[0-9]{1,5}", period) or not 1 <= int(period) <= 36000:
                raise ConfigurationError(
                    f"The setting validity_period of the account {send.account} must be 1 to 36000 seconds: set it anew"
                    " with `send-queue account set --set validity_period=14400`."
                )
            form["ValidityPeriod"] = period
        callback = _text(send.settings.get("status_callback_url")) or self._callback
        if callback:
            what = f"The setting status_callback_url of the account {send.account}"
            form["StatusCallback"] = f"{checked_url(callback, what)}/{send.send_id}"
        return form


@dataclass(frozen=True, slots=True)
class _Account:
    """An account's address and credentials."""

    messages: str
    user: str
    secret: str

    @property
    def basic(self) -> str:
        """Return the encoded credentials, as secret as the secret itself."""
        return b64encode(f"{self.user}:{self.secret}".encode()).decode()

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Basic {self.basic}", "Accept": "application/json"}


# --- looking up -------------------------------------------------------------------------------------------

PER_PAGE = 1000
"""The most that Twilio lists. Nobody gets so many messages that a second page is worth a request."""

MAX_CLOCK_SKEW = timedelta(days=1)
"""The database's clock may have been ahead of Twilio's by this much."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""The difference of two synchronised clocks at most."""

TRIAL = "Sent from your Twilio trial account - "
"""Twilio's prefix of a trial account's texts."""

UNKNOWN_SHAPE = "Twilio's list has an unknown shape."


def find(send: Claimed, listed: list[Any], now: datetime | None) -> LookUp:
    """Search the messages to the recipient for the text; `now` is Twilio's clock.

    Their times are Twilio's; `started_at` is the database's, which may have been ahead. From oldest to newest:

        before the attempt by more than MAX_CLOCK_SKEW    not ours
        before the attempt by more than CLOCK_TOLERANCE   an older message, or ours if a clock was ahead: for a person
        since then                                        ours, if the text is equal

    If the attempt ended after the present moment of Twilio's clock, all limits move back by the difference. Of two
    equal texts at least one is another send's: neither counts as ours. A different text from the time of the attempt
    may be ours, changed by Twilio (Smart Encoding, a shortened link): a person decides.
    """
    given_up = max(send.started_at, send.finished_at or send.started_at)
    ahead = max(given_up - (now or given_up), timedelta())
    began, ended = send.started_at - ahead, given_up + CLOCK_TOLERANCE
    wanted = _bare(send.message)
    copies: dict[str, bool] = {}  # by the message's id: does its time prove it ours?
    others = False
    for item in listed:
        if not isinstance(item, Mapping) or (sid := sid_of(item)) is None:
            return CannotTell(UNKNOWN_SHAPE)
        if not str(item.get("direction") or "outbound-api").startswith("outbound"):
            continue
        at = _time(item.get("date_created"))
        if at is not None and at < began - MAX_CLOCK_SKEW:
            continue
        text = item.get("body")
        if isinstance(text, str) and _bare(text.removeprefix(TRIAL)) == wanted:
            copies[sid] = at is not None and at >= began - CLOCK_TOLERANCE
        elif at is None or began - CLOCK_TOLERANCE <= at <= ended:
            others = True
    match list(copies.items()):
        case []:
            if others:
                return CannotTell("Twilio has another text to this number from that time.")
            return NotThere()
        case [(sid, True)]:
            return Found(sid)
        case [_]:
            return CannotTell("Twilio has this text from before the attempt: an older one, or a clock was wrong.")
        case _:
            return CannotTell("Twilio has this text to this number more than once.")


# --- small things -----------------------------------------------------------------------------------------


def _text(value: object) -> str:
    """Read a setting as text, even if it is a number."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _is_url(value: object) -> bool:
    try:
        return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).hostname)
    except ValueError:
        return False


def _bare(text: str) -> str:
    """Remove white space and invisible characters and compose letters, since Twilio may change these."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c)[0] not in "ZC")


def _time(value: object) -> datetime | None:
    """Read a moment in the form of RFC 2822; None for other text.

    >>> print(_time("Thu, 24 Aug 2023 05:01:45 +0000"), _time("yesterday"))
    2023-08-24 05:01:45+00:00 None
    """
    try:
        moment = parsedate_to_datetime(value) if isinstance(value, str) else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
