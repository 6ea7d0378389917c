"""Which channels are there, what goes wrong with each, and how is a row known again in what its provider accepted?

`WAYS` is the table: one line for each channel by each provider. The journal and the table of sends tell of one send by
the same `Key`: the provider, whose it is there, for whom, and what tells it from all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from send_queue.sandbox import Entry, Fault, profile_ids
from send_queue.sandbox.post_base import number_of
from send_queue.sandbox.webhook import SECRET

Row = Mapping[str, Any]
"""A row of send_queue, with the names of its account, campaign and provider."""


class Key(NamedTuple):
    """How a provider knows a send."""

    provider: str
    channel: str
    account: str
    recipient: str
    what: str


# --- who sends --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seat:
    """An account: `there` is what the journal calls it, `fields` are as store.put takes them, `lane` its lanes'."""

    name: str
    provider: str
    there: str
    channels: tuple[str, ...]
    lane: Mapping[str, Any]
    fields: Mapping[str, Any] = field(default_factory=dict)
    secret: str | None = None

    @property
    def variable(self) -> str:
        """Where its secret is, where it has one of its own."""
        return f"SECRET_OF_{self.name.upper()}"


def _unipile() -> Iterator[Seat]:
    """Lanes of every kind."""
    for n in range(6):
        lane: dict[str, Any] = {"daily_cap": 14 + n, "max_in_flight": 1 + n}
        lane["weekly_cap"] = 50 if n == 3 else None
        lane["min_gap_seconds"] = 1 if n == 4 else 0
        yield Seat(f"a{n}", "unipile", f"seat{n}", ("linkedin_invite", "linkedin_message"), lane,
                   {"provider_account_id": f"seat{n}"})  # fmt: skip


def _mail(provider: str, **lane: int) -> Iterator[Seat]:
    for n in range(2):
        sender = f"{provider}{n}@sender.example"
        yield Seat(f"{provider}{n}", provider, sender, ("email",), lane, {"settings": {"from": sender}})


def _others() -> Iterator[Seat]:
    lane = {"daily_cap": 12, "max_in_flight": 3}
    for n in range(2):
        number = f"+1500555010{n}"
        yield Seat(f"twilio{n}", "twilio", f"AC{n}", ("sms",), lane,
                   {"provider_account_id": f"AC{n}", "settings": {"from": number}})  # fmt: skip
        yield Seat(f"webhook{n}", "webhook", "crm", ("webhook",), lane)
        # The address is the secret; where the sandbox is, is known when it has started.
        yield Seat(f"slack{n}", "slack", f"T{n}/B{n}", ("webhook",), lane, secret=f"{{url}}/services/T{n}/B{n}/token")
        yield Seat(f"mastodon{n}", "mastodon", number_of(f"m{n}", "1093"), ("post",), lane, secret=f"m{n}")
        for network, id_there in (("bluesky", f"did:plc:b{n}"), ("linkedin", f"urn:li:person:L{n}"),
                                  ("facebook", f"471{n}")):  # fmt: skip
            yield Seat(f"{network}{n}", network, id_there, ("post",), lane, {"provider_account_id": id_there},
                       secret=f"{network}{n}")  # fmt: skip
        yield Seat(f"x{n}", "x", number_of(f"x{n}"), ("post",), lane, secret=f"x{n}")


SEATS = (*_unipile(), *_mail("sendgrid", daily_cap=60, max_in_flight=30), *_mail("smtp", daily_cap=12, max_in_flight=3),
         *_others())  # fmt: skip


def environment(sandbox: str, mail_server: str) -> dict[str, str]:
    """Where the providers are, and the secrets of all."""
    places = {f"{name}_BASE_URL": sandbox
              for name in ("SENDGRID", "TWILIO", "MASTODON", "BLUESKY", "LINKEDIN", "X", "FACEBOOK")}  # fmt: skip
    shared = {"UNIPILE_DSN": sandbox, "UNIPILE_API_KEY": "key", "SENDGRID_API_KEY": "key", "TWILIO_AUTH_TOKEN": "token",
              "WEBHOOK_SECRET": SECRET, "WEBHOOK_ALLOW_HOSTS": "127.0.0.1", "SMTP_URL": mail_server}  # fmt: skip
    own = {seat.variable: seat.secret.format(url=sandbox) for seat in SEATS if seat.secret is not None}
    return places | shared | own


# --- what is sent -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """One channel by one provider.

    op            what the sandbox calls a send
    asked         what it calls the questions about one
    lists         seconds by which it lists late, at the most: less than the lag that the provider states
    refused, busy the status and the type of a no to one message, and of a limit
    settles       whether its provider settles whatever is in doubt; else it may be for a person, and must say so
    share         how many of the rows are of it
    message       the n-th send of it, as store.enqueue takes it; `sandbox` is where the providers are
    recipient     the row's, as the provider knows it
    what, told    what tells a send from all others: in the row, and in the journal
    names         the ids by which a row may know what the journal has
    """

    name: str
    provider: str
    channel: str
    op: str
    message: Callable[[int, str], dict[str, Any]]
    refused: tuple[int, str | None] = (400, None)
    busy: tuple[int, str | None] = (429, None)
    asked: tuple[str, ...] = ()
    lists: float = 0.0
    settles: bool = True
    share: int = 1
    recipient: Callable[[Row, Seat], str] = lambda row, _: str(row["recipient"])
    what: Callable[[Row], str] = lambda row: str(row["message"])
    told: Callable[[Entry], str] = lambda entry: str(entry["text"])
    names: Callable[[Entry], set[str]] = lambda entry: {entry["id"]}

    def row(self, row: Row) -> Key:
        seat = SEAT[row["account"]]
        return Key(self.provider, self.channel, seat.there, self.recipient(row, seat), self.what(row))

    def entry(self, entry: Entry) -> Key:
        return Key(self.provider, self.channel, entry["account_id"], entry["recipient"], self.told(entry))


def _to_person(n: int, _: str) -> dict[str, Any]:
    """By their id, or by their page."""
    who = f"https://www.linkedin.com/in/person-{n}" if n % 4 == 0 else f"ACoAAperson{n}"
    return {"recipient": who, "message": f"Hello number {n}."}


def _person(row: Row, _: Seat) -> str:
    who = str(row["recipient"]).rpartition("/in/")
    return profile_ids.provider_id(who[2], None) if who[1] else str(row["recipient"])


def _edition(n: int, _: str) -> dict[str, Any]:
    """The same mail to twenty people: as many of them as a run has in hand go in one call."""
    return {"recipient": f"person{n}@example.com", "subject": f"Edition {n // 20}", "message": f"News {n // 20}."}


def _letter(n: int, _: str) -> dict[str, Any]:
    return {"recipient": f"reader{n}@example.com", "subject": f"Letter {n}", "message": f"Dear reader {n}."}


def _text(n: int, _: str) -> dict[str, Any]:
    """To a number in Britain, where it is night at times."""
    return {"recipient": f"+447700900{n:03}", "message": f"Your code is {n:04}."}


def _post(n: int, _: str) -> dict[str, Any]:
    """With what networks rewrite in the texts that they list."""
    return {"recipient": "the profile", "message": f"Opening {n} (all sites) & more: https://example.com/jobs/{n}."}


def _call(n: int, sandbox: str) -> dict[str, Any]:
    return {"recipient": f"{sandbox}/webhooks/crm", "message": f"Paid {n}",
            "payload": {"type": "invoice.paid", "data": {"message": f"Paid {n}"}}}  # fmt: skip


def _note(n: int, _: str) -> dict[str, Any]:
    return {"recipient": "#sales", "message": f"Deal {n} is closed."}


def _profile(_: Row, seat: Seat) -> str:
    return seat.there


def _in_a_call(entry: Entry) -> set[str]:
    """SendGrid's answer names the call, its logs each mail in it; a row has either."""
    call, _, n = str(entry["id"]).partition(".recvd-sandbox-")
    return {entry["id"], call, f"{call}.{n}"}


UNIPILE = Way("", "unipile", "", "", _to_person, (422, "invalid_recipient"), (429, "too_many_requests"),
              ("profile", "invitations", "chats", "chat_messages", "account"), lists=100, share=2,
              recipient=_person, names=lambda entry: {entry["id"], entry.get("chat_id", "")})  # fmt: skip
POST = Way("", "", "post", "", _post, recipient=_profile)

WAYS = (
    replace(UNIPILE, name="invite", channel="linkedin_invite", op="invite"),
    replace(UNIPILE, name="message", channel="linkedin_message", op="chat"),
    Way("sendgrid", "sendgrid", "email", "mail_send", _edition, (400, "personalizations"),
        asked=("email_logs", "email_log"), lists=1500, share=3, names=_in_a_call,
        what=lambda row: str(row["id"]), told=lambda entry: str(entry["custom_args"]["send_id"])),
    Way("smtp", "smtp", "email", "mail", _letter, (552, None), (451, None), settles=False,
        what=lambda row: f"<{row['id']}@sender.example>", told=lambda entry: str(entry["id"])),
    Way("sms", "twilio", "sms", "sms", _text, (400, "21211"), (429, "20429"), ("sms_list",), lists=100),
    Way("webhook", "webhook", "webhook", "webhook", _call, recipient=lambda row, _: urlsplit(row["recipient"]).path,
        what=lambda row: f"msg_{row['id']}", told=lambda entry: str(entry["id"])),
    Way("slack", "slack", "webhook", "slack_post", _note, (400, "invalid_payload"), settles=False,
        recipient=_profile, names=lambda _: set()),
    replace(POST, name="mastodon", provider="mastodon", op="status", refused=(422, None),
            asked=("credentials", "statuses", "status_source"), lists=100),
    # Its record can be read as soon as it is written; what is late is the request.
    replace(POST, name="bluesky", provider="bluesky", op="put_record", asked=("get_record",)),
    # Known again for an hour; what is in doubt for longer is for a person, since nobody can be asked.
    replace(POST, name="linkedin", provider="linkedin", op="linkedin_post", settles=False),
    replace(POST, name="x", provider="x", op="tweet", refused=(400, "invalid-request"),
            asked=("x_me", "timeline"), lists=100),
    replace(POST, name="facebook", provider="facebook", op="feed_post", asked=("feed",), lists=100),
)  # fmt: skip

SEAT = {seat.name: seat for seat in SEATS}
WAY_OF = {(way.provider, way.channel): way for way in WAYS}

KNOWN_AGAIN = {("webhook", "webhook_again")}
"""What the journal has of requests that came again, and were known: no second send."""

TURNS = tuple(way for way in WAYS for _ in range(way.share))
"""In which order rows are made of them."""


def seats_of(way: Way) -> list[Seat]:
    return [seat for seat in SEATS if seat.provider == way.provider]


# --- what goes wrong --------------------------------------------------------------------------------------


def faults(seed: int) -> list[Fault]:
    """What goes wrong with sends, and with what is asked. The first that applies is applied."""
    every = [fault for way in WAYS for fault in _of_sends(way)]
    every += [fault for provider, op in sorted(_questions()) for fault in _of_questions(provider, op)]
    return [replace(fault, seed=seed + i) for i, fault in enumerate(every)]


def _of_sends(way: Way) -> list[Fault]:
    one = Fault(provider=way.provider, op=way.op)
    lost = [
        replace(one, drop="before", delay=0.2, probability=0.05),
        replace(one, drop="after", answer_delay=0.3, probability=0.05),
        replace(one, drop="after", hide=0.9 * way.lists, answer_delay=0.3, probability=0.06),
    ]
    unclear = [
        replace(one, status=503, probability=0.04),
        replace(one, status=504, accept=True, probability=0.05),
        replace(one, status=500, accept=True, hide=0.6 * way.lists, probability=0.04),
        replace(one, spoil="truncated", probability=0.04),
        replace(one, spoil="garbage", probability=0.03),
        replace(one, spoil="html", probability=0.03),
    ]
    clear = [
        replace(one, status=way.busy[0], type=way.busy[1], probability=0.02),
        replace(one, status=way.refused[0], type=way.refused[1], probability=0.01),
    ]
    late = [
        replace(one, hide=way.lists, answer_delay=0.6, probability=0.15),
        replace(one, delay=0.8, probability=0.35),
        replace(one, answer_delay=0.8, probability=0.7),
    ]
    # A reply of SMTP is a line: it is there, or lost.
    return [*lost, *(unclear if way.provider != "smtp" else ()), *clear, *late]


def _questions() -> set[tuple[str, str]]:
    return {(way.provider, op) for way in WAYS for op in way.asked}


MANY = {"status_source"}
"""What one look-up asks about each post of a day."""


def _of_questions(provider: str, op: str) -> list[Fault]:
    one = Fault(provider=provider, op=op)
    # Few, for a provider that cannot tell six times is asked no more: then it is a person's turn.
    rare = 0.025 if op in MANY else 1.0
    return [
        replace(one, drop="before", probability=0.01 * rare),
        replace(one, status=503, probability=0.01 * rare),
        replace(one, spoil="truncated", probability=0.01 * rare),
        replace(one, spoil="garbage", probability=0.005 * rare),
        replace(one, delay=0.3, probability=0.2 * rare),
    ]
