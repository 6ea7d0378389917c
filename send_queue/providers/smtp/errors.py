"""Refusals of mail servers: a table of reply codes, and one function that applies it.

A reply has a code of three digits (RFC 5321) and mostly an enhanced code of three numbers (RFC 3463). The most exact
row wins: an unambiguous code, the enhanced code, its subject (`5.7`), the code at this stage, the code at any stage,
the first digit at this stage. Stages, in the order of a delivery:

    hello   greeting, EHLO and STARTTLS          concerns all mail
    auth    user and password                    concerns the account
    mail    MAIL FROM                            concerns the sender, hence also the next mail
    rcpt    RCPT TO                              concerns the recipient
    data    DATA, and the final dot              concerns the message

A server has not accepted a mail that it refuses, even after the final dot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from send_queue.model import Outcome
from send_queue.providers.credentials import TRY_AGAIN
from send_queue.providers.http_answer import advised, hidden, plain
from send_queue.providers.meaning import Meaning, hours, minutes, outcome_of

Stage: TypeAlias = Literal["hello", "auth", "mail", "rcpt", "data"]


# The recipient, for good. Codes in BOUNCES suppress it.
MAILBOX_UNKNOWN = Meaning("failed", "mailbox_unknown")
DOMAIN_UNKNOWN = Meaning("failed", "domain_unknown")
BAD_ADDRESS = Meaning("failed", "invalid_recipient")
MOVED = Meaning("failed", "mailbox_moved")
DISABLED = Meaning("failed", "mailbox_disabled")
TAKES_NO_MAIL = Meaning("failed", "domain_takes_no_mail")
REFUSED_THERE = Meaning("failed", "recipient_refused")

# The message
TOO_LARGE = Meaning("failed", "message_too_large")
MESSAGE = Meaning("failed", "message_refused")
UNROUTABLE = Meaning("failed", "unroutable")

# Later
GREY = Meaning("retry", "try_later", after=minutes(5))  # greylisting accepts the same mail some minutes later
BUSY = Meaning("retry", "server_busy", after=minutes(30))  # RFC 5321 asks for half an hour
FULL = Meaning("retry", "mailbox_full", after=hours(2))

# All mail of the lane or the account
CLOSING = Meaning("hold", "server_closing", "lane", minutes(10), hours(1))
UNREACHED = Meaning("hold", "server_refuses", "lane", hours(1), hours(6), advice="Check SMTP_URL.")
OUT_OF_STEP = Meaning("hold", "protocol_error", "lane", hours(1), hours(6), True, "Check SMTP_URL.")
QUOTA = Meaning("hold", "quota_exceeded", "lane", hours(1), hours(24))
POLICY = Meaning(
    "hold", "policy", "lane", hours(1), hours(24), True,
    "The server refuses mail from here by its policy: check SPF, DKIM, DMARC and the reputation of the address.",
)  # fmt: skip
SENDER = Meaning("hold", "sender_refused", "lane", hours(1), hours(24), True, "Check the from-address.")
LOGIN = Meaning("hold", "login_refused", "account", TRY_AGAIN, advice="Check the user in SMTP_URL and the password.")
LOGIN_LATER = Meaning("hold", "login_later", "account", minutes(15), hours(2))
ACCOUNT_OFF = Meaning("hold", "account_disabled", "account", advice="Mend the account at its provider, then resume it.")

ENHANCED: Mapping[str, Meaning] = {
    # x.1: addresses
    "5.1.0": REFUSED_THERE,
    "5.1.1": MAILBOX_UNKNOWN,
    "5.1.2": DOMAIN_UNKNOWN,
    "5.1.3": BAD_ADDRESS,
    "5.1.4": BAD_ADDRESS,
    "5.1.6": MOVED,
    "5.1.7": SENDER,
    "5.1.8": SENDER,
    "5.1.10": TAKES_NO_MAIL,  # RFC 7505: a null MX
    "5.1": REFUSED_THERE,
    # x.2: the mailbox
    "5.2.1": DISABLED,
    "5.2.2": FULL,  # permanent by its code, but people empty mailboxes
    "5.2.3": TOO_LARGE,
    "5.2": REFUSED_THERE,
    "4.2.2": FULL,
    # x.3: the server
    "5.3.1": BUSY,  # its disk is full
    "5.3.2": UNREACHED,
    "5.3.4": TOO_LARGE,
    "5.3.5": UNREACHED,
    "5.3": MESSAGE,
    # x.4: the route
    "5.4.1": REFUSED_THERE,
    "5.4.4": DOMAIN_UNKNOWN,
    "5.4.5": QUOTA,  # a mailbox's daily limit, at Google's
    "5.4": UNROUTABLE,
    # x.5: the protocol
    "5.5.3": BUSY,  # too many recipients, though there is one
    "5.5": OUT_OF_STEP,
    # x.6: the content
    "5.6": MESSAGE,
    # x.7: policy
    "5.7.2": REFUSED_THERE,
    "5.7.3": LOGIN,
    "5.7.8": LOGIN,
    "5.7.9": LOGIN,
    "5.7.11": LOGIN,
    "5.7.13": ACCOUNT_OFF,
    "5.7.14": LOGIN,
    "5.7.17": MAILBOX_UNKNOWN,  # RFC 7293: the address has a new owner
    "5.7.18": DOMAIN_UNKNOWN,
    "5.7": POLICY,
    "4.7.0": GREY,
    "4.7.1": GREY,
}
"""Enhanced codes, and their first two numbers for codes without a row."""

AT: Mapping[tuple[int, Stage], Meaning] = {
    (550, "data"): POLICY,
    (552, "rcpt"): FULL,
    (552, "mail"): TOO_LARGE,
    (552, "data"): TOO_LARGE,
    (553, "rcpt"): BAD_ADDRESS,
    (501, "rcpt"): BAD_ADDRESS,
    (521, "rcpt"): REFUSED_THERE,
}
"""Codes whose meaning depends on the stage."""

BASIC: Mapping[int, Meaning] = {
    421: CLOSING,
    450: GREY,
    451: GREY,
    452: BUSY,  # too many recipients, or no disk
    454: LOGIN_LATER,
    455: BUSY,
    500: OUT_OF_STEP,
    501: OUT_OF_STEP,
    502: OUT_OF_STEP,
    503: OUT_OF_STEP,
    504: OUT_OF_STEP,
    521: UNREACHED,
    523: TOO_LARGE,
    530: LOGIN,
    534: LOGIN,
    535: LOGIN,
    538: LOGIN,
    551: REFUSED_THERE,
    555: OUT_OF_STEP,
    556: REFUSED_THERE,
}

BY_STAGE: Mapping[tuple[int, Stage], Meaning] = {
    (4, "hello"): CLOSING,
    (5, "hello"): UNREACHED,
    (4, "auth"): LOGIN_LATER,
    (5, "auth"): LOGIN,
    (4, "mail"): GREY,
    (5, "mail"): SENDER,
    (4, "rcpt"): GREY,
    (5, "rcpt"): REFUSED_THERE,
    (4, "data"): GREY,
    (5, "data"): MESSAGE,
}
"""All other codes, by the first digit: every refusal has a row."""

CERTAIN = frozenset({421, 530, 534, 535, 538})
"""Codes that outrank an enhanced code: the server closes the connection, or wants a login."""

REFUSES_LOGIN = frozenset({LOGIN.code})
"""Codes that refuse user or password."""

BOUNCES = frozenset({MAILBOX_UNKNOWN.code, TAKES_NO_MAIL.code})
"""Hard bounces: further mail to such addresses would look like spam. Only an enhanced code proves one: Exim and
OpenSMTPD give none, and say a bare 550 to a recipient too where they refuse the sender, or to relay."""


def judge(stage: Stage, code: int, text: str, *, hide: Sequence[str], held: int = 0) -> Outcome:
    """Judge a refusal. `code` is 4yz or 5yz; any other code before the end counts as a protocol error.

    The detail omits the strings of `hide`; `held` counts the send's holds so far.
    """
    meaning = meaning_of(stage, code, text)
    detail = advised(plain(hidden(f"{code} {text}", hide)), meaning.advice)
    return outcome_of(meaning, meaning.code, detail, code, held=held)


def meaning_of(stage: Stage, code: int, text: str) -> Meaning:
    """Return the table's row for a reply.

    >>> meaning_of("rcpt", 550, "5.7.1 relaying denied").code, meaning_of("rcpt", 550, "no such user").code
    ('policy', 'recipient_refused')
    """
    digit = code // 100
    if digit not in (4, 5):
        return OUT_OF_STEP
    if code in CERTAIN:
        return BASIC[code]
    if stage in ("hello", "auth"):
        return BY_STAGE[digit, stage]
    found = None
    if said := re.match(rf"{digit}\.(\d{{1,3}})\.(\d{{1,3}})\b", text):
        subject = f"{digit}.{int(said[1])}"
        found = ENHANCED.get(f"{subject}.{int(said[2])}") or ENHANCED.get(subject)
    return found or AT.get((code, stage)) or BASIC.get(code) or BY_STAGE[digit, stage]
