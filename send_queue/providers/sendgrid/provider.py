"""SendGrid, API v3: mails of equal content share a call.

    send_batch   one call for mails of equal content, with a personalization each; further calls one after the
                 other, since the run decides on parallel calls
    look_up      search the Email Logs by recipient and time; custom_args of each mail name its send

SendGrid has no idempotency key, so all mails of a call with a lost answer are uncertain. errors.py has the meaning of
answers, mail.py the mails.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

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
    clock,
)
from send_queue.providers.address import base_url
from send_queue.providers.credentials import Refusals, refused, secret_of, variable_of
from send_queue.providers.environment import minutes
from send_queue.providers.http import Http
from send_queue.providers.http_answer import Answer, Limits, hidden, plain
from send_queue.providers.intermediary import tries_that_did_not_count
from send_queue.providers.mail import Mail, Mails, in_ascii
from send_queue.providers.probe import read, remedy
from send_queue.providers.reach import host_of
from send_queue.providers.sendgrid.errors import REFUSES_KEY, blamed, judge, message_id
from send_queue.rules.recipients import address

POST = Limits(connect=10, read=45, total=60)
GET = Limits(connect=5, read=15, total=20)

BEGIN_WITHIN = 40.0
"""Seconds after a batch's start until which it begins calls."""

LAG = timedelta(minutes=30)
"""SendGrid documents only that its logs are not instantaneous. SENDGRID_LAG_MINUTES overrides it."""


class SendGrid:
    """Mail by SendGrid.

    SENDGRID_API_KEY      the key of accounts without `secret_env`.
    SENDGRID_BASE_URL     its address (default https://api.sendgrid.com; in the EU https://api.eu.sendgrid.com).
    SENDGRID_LAG_MINUTES  the delay of its logs (default 30).
    """

    channels: frozenset[str] = frozenset({"email"})
    longest_call: timedelta
    lag: timedelta | None
    suppresses: frozenset[str] = frozenset()
    """None: SendGrid accepts first, and reports unknown recipients in events, not in answers."""
    secret: str = "SENDGRID_API_KEY"
    batch: int = 50
    """Far below SendGrid's 1,000: if a run is killed, its whole batch becomes uncertain, even mails that it had not
    begun; and a fiftieth of the calls is few enough."""

    def __init__(self, env: Mapping[str, str], *, post: Limits = POST, get: Limits = GET) -> None:
        self._env = env
        self._base = base_url(env, "SENDGRID_BASE_URL", "https://api.sendgrid.com")
        self._mails = Mails(env)
        self._post, self._get = post, get
        self._http = Http(env=env)
        self._refusals = Refusals()
        self.lag = minutes(env, "SENDGRID_LAG_MINUTES", LAG, least=1)
        self.longest_call = timedelta(seconds=BEGIN_WITHIN + post.total + 5)

    def send(self, send: Claimed) -> Outcome:
        [outcome] = self.send_batch([send])
        return outcome

    def send_batch(self, sends: Sequence[Claimed]) -> Sequence[Outcome]:
        key = secret_of(sends[0], self._env, self.secret)
        if known := self._refusals.known(key):
            return [known] * len(sends)
        until = clock() + BEGIN_WITHIN
        outcomes: dict[int, Outcome] = {}
        letters: list[_Letter] = []
        for place, send in enumerate(sends):
            mail = self._mails.of(send)
            if isinstance(mail, Mail):
                letters.append(_Letter(place, send, mail))
            else:
                outcomes[place] = mail
        calls = _calls(letters)
        held: Outcome | None = None
        while calls:
            call = calls.pop(0)
            if clock() > until:
                held = Hold("lane", "too_slow", "SendGrid answered too slowly to send it all.", timedelta(minutes=1))
            if held is not None:
                outcomes |= {letter.place: held for letter in call.letters}
                continue
            outcome, refused = self._made(call, key)
            if refused:
                outcomes |= {letter.place: outcome for letter in refused}
                if left := [letter for letter in call.letters if letter not in refused]:
                    calls.insert(0, _Call(left))
                continue
            for n, letter in enumerate(call.letters):
                outcomes[letter.place] = _of_one(outcome, n, len(call.letters))
            if isinstance(outcome, Hold):
                held = outcome  # the next call would meet it too
        return [outcomes[place] for place in range(len(sends))]

    def _made(self, call: _Call, key: str) -> tuple[Outcome, list[_Letter]]:
        """Make a call; return its outcome and the letters that it holds for."""
        sends = [letter.send for letter in call.letters]
        mail = call.letters[0].mail
        hide = [key, mail.text, *([mail.html] if mail.html else [])]
        answer = self._http.request(
            "POST", f"{self._base}/v3/mail/send", limits=self._post, headers=_headers(key), json=_body(call.letters),
            leave_by=min(send.leave_by for send in sends), hide=hide,
        )  # fmt: skip
        held = min(tries_that_did_not_count(send) for send in sends)
        said = judge(answer, now=sends[0].started_at, hide=hide, held=held)
        if isinstance(said, Answer):
            return Sent(message_id(said), said.status), []
        if isinstance(said, Hold) and said.code in REFUSES_KEY:
            said = refused(said, variable_of(sends[0], self.secret))
            self._refusals.note(said, key)
            return said, []
        places = blamed(answer) if len(sends) > 1 and isinstance(said, Failed) else frozenset()
        return said, [letter for n, letter in enumerate(call.letters) if n in places]

    def look_up(self, send: Claimed) -> LookUp:
        to = address(send.recipient)
        if to is None:
            return CannotTell("The recipient is not a mail address.")
        try:
            key = secret_of(send, self._env, self.secret)
        except ConfigurationError as error:
            return CannotTell(str(error))
        return _find(_Logs(self._http, self._base, self._get, key), to, send)

    def check(self, send: Claimed) -> None:
        secret_of(send, self._env, self.secret)

    def probe(self, send: Claimed) -> ProbeResult:
        """List the key's rights: sending is among them."""
        key = secret_of(send, self._env, self.secret)
        answer = self._http.get(f"{self._base}/v3/scopes", limits=self._get, headers=_headers(key), hide=(key,))
        result = read(answer, remedy(send, self.secret))
        scopes = answer.json.get("scopes") if isinstance(answer, Answer) and isinstance(answer.json, dict) else None
        if result.result == "reached" and isinstance(scopes, list) and "mail.send" not in scopes:
            return ProbeResult("refused", f"the key may not send mail: {remedy(send, self.secret)}")
        return result

    def hosts(self, send: Claimed) -> tuple[str]:  # noqa: ARG002 — the protocol's signature
        return (host_of(self._base),)

    def close(self) -> None:
        self._http.close()


# --- sending ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Letter:
    """A mail and its place in the batch."""

    place: int
    send: Claimed
    mail: Mail


@dataclass(slots=True)
class _Call:
    """Letters of one content to different people."""

    letters: list[_Letter] = field(default_factory=list)

    def takes(self, letter: _Letter) -> bool:
        """Whether the call can take the letter. SendGrid refuses an address twice in a call, in any case of letters."""
        return all(letter.mail.to.lower() != other.mail.to.lower() for other in self.letters)


def _calls(letters: Iterable[_Letter]) -> list[_Call]:
    """Group letters into calls, in the order of their first letters."""
    calls: dict[object, list[_Call]] = {}
    made = []
    for letter in letters:
        mail = letter.mail
        content = (mail.sender, mail.sender_name, mail.reply_to, mail.subject, mail.text, mail.html, mail.headers)
        alike = calls.setdefault(content, [])
        call = next((call for call in alike if call.takes(letter)), None)
        if call is None:
            call = _Call()
            alike.append(call)
            made.append(call)
        call.letters.append(letter)
    return made


def _of_one(outcome: Outcome, n: int, of: int) -> Outcome:
    """Return the call's outcome for one of its mails. The id of a mail is the call's id, a dot and a number, as in
    SendGrid's events."""
    if isinstance(outcome, Sent) and of > 1:
        return Sent(f"{outcome.provider_message_id}.{n}", outcome.http_status)
    return outcome


def _body(letters: Sequence[_Letter]) -> dict[str, Any]:
    """Make the body of POST /v3/mail/send."""
    mail = letters[0].mail
    content = [{"type": "text/plain", "value": mail.text}]
    if mail.html is not None:
        content.append({"type": "text/html", "value": mail.html})
    # `from` takes no Unicode (mail/send, limitations): encode other letters by RFC 2047.
    name = {"name": in_ascii("From", mail.sender_name, " ")} if mail.sender_name else {}
    body: dict[str, Any] = {
        "personalizations": [_personalization(letter) for letter in letters],
        "from": {"email": mail.sender} | name,
        "subject": mail.subject,
        "content": content,
    }
    if mail.reply_to is not None:
        body["reply_to"] = {"email": mail.reply_to}
    if mail.headers:
        body["headers"] = {name: in_ascii(name, value, " ") for name, value in mail.headers}
    return body


def _personalization(letter: _Letter) -> dict[str, Any]:
    """Make one recipient's part. custom_args hold ids and no personal data: they stay in SendGrid's events and logs,
    where nobody can delete them."""
    send = letter.send
    one: dict[str, Any] = {
        "to": [{"email": letter.mail.to}],
        "custom_args": {"send_id": str(send.send_id), "attempt": str(send.attempt_number)},
    }
    if letter.mail.unsubscribe:
        one["headers"] = dict(letter.mail.unsubscribe)
    return one


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Accept": "application/json"}


# --- looking up -------------------------------------------------------------------------------------------

MAX_CLOCK_SKEW = timedelta(days=1)
"""The database's clock may have been ahead of SendGrid's by this much. Searching further back is safe: the send's id
identifies a mail, not its time."""

LISTED = 1000
"""The most mails that SendGrid lists."""

READ = 50
"""The most mails read for an address; each takes a request."""

ASK_FOR = 120.0
"""Seconds for all requests of a look-up."""

UNKNOWN_SHAPE = "SendGrid's logs have an unknown shape."


@dataclass(frozen=True, slots=True)
class _Logs:
    """SendGrid's Email Logs, through one key."""

    http: Http
    base: str
    limits: Limits
    key: str

    def ask(self, method: str, path: str, **content: Any) -> dict[str, Any] | CannotTell:
        answer = self.http.request(
            method, self.base + path, limits=self.limits, headers=_headers(self.key), hide=(self.key,), **content
        )
        if not isinstance(answer, Answer):
            return CannotTell(f"{answer.code}: {answer.detail}")
        if answer.status in (403, 404):
            return CannotTell(
                "SendGrid does not show its logs: they are an add-on, and the key needs the right to read."
            )
        if answer.status != 200 or not isinstance(answer.json, dict):
            return CannotTell(plain(f"HTTP {answer.status}: {hidden(answer.text, (self.key,))}"))
        return answer.json


def _find(logs: _Logs, to: str, send: Claimed) -> LookUp:
    """Read the mails to the recipient since the attempt until one names the send."""
    names = dict.fromkeys((to, to.lower()))
    since = (send.started_at - MAX_CLOCK_SKEW).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    listed_as = ", ".join(f'"{name}"' for name in names)
    query = f'to_email IN ({listed_as}) AND sg_message_id_created_at >= TIMESTAMP "{since}"'
    until = clock() + ASK_FOR
    said = logs.ask("POST", "/v3/logs", json={"query": query, "limit": LISTED})
    if isinstance(said, CannotTell):
        return said
    listed = said.get("messages")
    if not isinstance(listed, list):
        return CannotTell(UNKNOWN_SHAPE)
    result: LookUp = NotThere()
    if len(listed) > READ:
        result = CannotTell(f"SendGrid lists more than {READ} mails to this address: the rest was not read.")
    for item in _nearest_first(listed, send.started_at)[:READ]:
        name = item.get("sg_message_id") if isinstance(item, dict) else None
        if clock() > until:
            return CannotTell("SendGrid answered too slowly to read all its logs.")
        found = _is_of(logs, name, send) if isinstance(name, str) and name else CannotTell(UNKNOWN_SHAPE)
        if isinstance(found, Found):
            return found
        if isinstance(found, CannotTell):
            result = found
    return result


def _is_of(logs: _Logs, name: str, send: Claimed) -> LookUp:
    """Tell whether a mail is the send's; without custom_args it may be."""
    from urllib.parse import quote

    said = logs.ask("GET", f"/v3/logs/{quote(name, safe='')}")
    if isinstance(said, CannotTell):
        return said
    ours = said.get("custom_args")
    if isinstance(ours, str):
        try:
            ours = json.loads(ours)
        except ValueError:
            ours = None
    if not isinstance(ours, dict):
        return CannotTell("SendGrid lists a mail to this address without the send's id.")
    return Found(plain(name, 200)) if ours.get("send_id") == str(send.send_id) else NotThere()


def _nearest_first(listed: list[Any], moment: datetime) -> list[Any]:
    """Sort items by their distance from a moment; those without a date come first, as they may be near."""

    def distance(item: Any) -> float:
        try:
            dated = datetime.fromisoformat(item["sg_message_id_created_at"])
            return abs((dated - moment).total_seconds())
        except (KeyError, TypeError, ValueError):
            return -1

    return sorted(listed, key=distance)
