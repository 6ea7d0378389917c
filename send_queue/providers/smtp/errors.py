"""What a mail server's no means: reply codes as data, and one function that reads a reply by them.

A reply has a code of three digits (RFC 5321) and mostly an enhanced one of three numbers (RFC 3463), which says more.
The most exact row counts: a code that is never anything else, the enhanced code, its subject (`5.7`), the code at this
stage, the code at any stage, the first digit at this stage. Stages, in the order of a delivery:

    hello   the greeting, EHLO and STARTTLS      nobody's mail goes from here now
    auth    the user and the password            the account's, not the mail's
    mail    MAIL FROM                            about the sender: the next mail has the same
    rcpt    RCPT TO                              about the recipient
    data    DATA, and the final dot              about the message

Whatever a server says no to, to the very end, it has not taken.
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


# The recipient: dead for good. Those of BOUNCES are never written to again.
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
GREY = Meaning("retry", "try_later", after=minutes(5))  # greylisting lets the same mail pass after some minutes
BUSY = Meaning("retry", "server_busy", after=minutes(30))  # RFC 5321 asks for half an hour
FULL = Meaning("retry", "mailbox_full", after=hours(2))

# Nothing more from here
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
    "5.2.2": FULL,  # said to be for ever, and then somebody clears it
    "5.2.3": TOO_LARGE,
    "5.2": REFUSED_THERE,
    "4.2.2": FULL,
    # x.3: the server
    "5.3.1": BUSY,  # its disk is full
    "5.3.2": UNREACHED,
    "5.3.4": TOO_LARGE,
    "5.3.5": UNREACHED,
    "5.3": MESSAGE,
    # x.4: the way there
    "5.4.1": REFUSED_THERE,
    "5.4.4": DOMAIN_UNKNOWN,
    "5.4.5": QUOTA,  # a mailbox's daily limit, at Google's
    "5.4": UNROUTABLE,
    # x.5: the protocol
    "5.5.3": BUSY,  # too many recipients: one is too many now
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
    "5.7.17": MAILBOX_UNKNOWN,  # RFC 7293: the address has another owner now
    "5.7.18": DOMAIN_UNKNOWN,
    "5.7": POLICY,
    "4.7.0": GREY,
    "4.7.1": GREY,
}
"""Enhanced codes, and their first two numbers for all that have no row of their own."""

AT: Mapping[tuple[int, Stage], Meaning] = {
    (550, "rcpt"): MAILBOX_UNKNOWN,
    (550, "data"): POLICY,
    (552, "rcpt"): FULL,
    (552, "mail"): TOO_LARGE,
    (552, "data"): TOO_LARGE,
    (553, "rcpt"): BAD_ADDRESS,
    (501, "rcpt"): BAD_ADDRESS,
    (556, "rcpt"): TAKES_NO_MAIL,
    (521, "rcpt"): TAKES_NO_MAIL,
}
"""Codes that mean something else at another stage."""

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
    551: MOVED,
    555: OUT_OF_STEP,
    556: TAKES_NO_MAIL,
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
"""What is left, by the first digit. There is a row for every no that a server can give."""

CERTAIN = frozenset({421, 530, 534, 535, 538})
"""Codes that are believed whatever the enhanced code beside them says: it closes the connection, or wants a login."""

REFUSES_LOGIN = frozenset({LOGIN.code})
"""The code that is about the user and the password."""

BOUNCES = frozenset({
    meaning.code for meaning in (MAILBOX_UNKNOWN, DOMAIN_UNKNOWN, MOVED, DISABLED, TAKES_NO_MAIL)
})  # fmt: skip
"""Hard bounces: nobody reads mail there, and who goes on writing is taken for a spammer."""


def judge(stage: Stage, code: int, text: str, *, hide: Sequence[str], held: int = 0) -> Outcome:
    """What a server's no means. `code` is a 4yz or 5yz; anything else before the end is a server out of step.

    The strings of `hide` are kept out of the detail; `held` is how many tries of the send did not count.
    """
    meaning = meaning_of(stage, code, text)
    detail = advised(plain(hidden(f"{code} {text}", hide)), meaning.advice)
    return outcome_of(meaning, meaning.code, detail, code, held=held)


def meaning_of(stage: Stage, code: int, text: str) -> Meaning:
    """The row of the tables that a reply falls under.

    >>> meaning_of("rcpt", 550, "5.7.1 relaying denied").code, meaning_of("rcpt", 550, "no such user").code
    ('policy', 'mailbox_unknown')
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
