"""Recipients by channel: the stored form, and the form for comparison.

Checks the form alone, without network; the provider decides.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from send_queue.rules import keys

MAX_RECIPIENT_CHARS = 2000
"""As in send_check_recipient: computing the key of a long text is slow."""


def checked(channel: str, recipient: str, country: str | None = None) -> str:
    """Return the recipient as stored. Raises `ValueError` with the reason if the channel cannot send to this form.
    `country`: two letters, for phone numbers without one; None: refuse such numbers.

    >>> checked("sms", "+1 (415) 555-2671"), checked("email", "ada@example.org")
    ('+14155552671', 'ada@example.org')
    """
    if len(recipient) > MAX_RECIPIENT_CHARS:
        raise ValueError(f"The recipient has {len(recipient)} characters: use {MAX_RECIPIENT_CHARS} at the most")
    match channel:
        case "sms":
            try:
                return e164(recipient, country)
            except NoCountry as error:
                raise ValueError(
                    f"{error}, or give its campaign a country: `send-queue campaign set C --country GB`"
                ) from None
        case "webhook":
            return endpoint(recipient)
        case "email":
            return mailbox(recipient)
        case _ if not keys.key(recipient):
            raise ValueError("The recipient is missing: say whom to send to")
        case "linkedin_invite" | "linkedin_message":
            return member(recipient)
        case _:
            return recipient


def same(channel: str, recipient: str) -> str:
    """Return the common form of a recipient's spellings, for keys; never send to it.

    >>> same("email", " Ada@Example.org"), same("linkedin_invite", "https://www.linkedin.com/in/Ada-L/?trk=x")
    ('ada@example.org', 'ada-l')

    Keeps the case of ids: LinkedIn's ids differ by capitals, in URLs too.
    """
    return keys.key(recipient) if channel in _TO_PEOPLE else recipient.strip()


_TO_PEOPLE = ("email", "sms", "linkedin_invite", "linkedin_message")


def suppressed(channel: str | None, recipient: str, country: str | None = None) -> str:
    """Return the stored form of a suppression's recipient. Raises `ValueError` if the entry would suppress nobody.
    `channel` None: all channels; then the form tells the kind. `country`: as in `checked`.

    >>> suppressed("sms", "0049 170 1234567"), suppressed(None, "(415) 555-2600", "US"), suppressed(None, "ACoAAana")
    ('+491701234567', '+14155552600', 'ACoAAana')
    """
    key = keys.key(recipient)
    kind = channel or _kind(key)
    if kind == "sms":
        try:
            return e164(recipient, country)
        except NoCountry as error:
            raise ValueError(f"{error}, or name it with --country GB") from None
    local, at, host = key.rpartition("@")
    if kind in _TO_PEOPLE and (set(local) <= {"*"} if at else _SITE.fullmatch(host)):
        raise ValueError(f"{_short(recipient)} is a whole domain, not one recipient: name each address of it")
    try:
        return checked(kind, recipient)
    except ValueError:
        if channel is None and kind == "linkedin_invite" and "://" not in key:
            raise ValueError(
                f"{_short(recipient)} is no address, number, id or URL: write it as the messages to them have it, or"
                " name its channel with --channel"
            ) from None
        raise


def _kind(key: str) -> str:
    """Return the channel of a recipient by the form of its key: address, number, URL; anything else may be a slug or an
    id."""
    if re.fullmatch("[+]?[0-9]+", key):
        return "sms"
    if "://" in key:
        return "linkedin_invite" if _AT_LINKEDIN.match(key) else "webhook"
    return "email" if "@" in key else "linkedin_invite"


_AT_LINKEDIN = re.compile(r"https?://(?:[a-z0-9-]+\.)*linkedin\.com\b", re.IGNORECASE)
_SITE = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}")


MAX_ADDRESS_CHARS = 254
"""RFC 5321: a path has 256 characters, two of them brackets."""


def _short(text: str) -> str:
    """Quote a text for a sentence, cut if long."""
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TOP = r"(?:[a-z]{1,63}|xn--[a-z0-9-]{0,58}[a-z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_TOP}", re.IGNORECASE)
"""At least two labels, the last a word: neither a bare host name nor an IP address."""


def address(text: object) -> str | None:
    """Return a mail address in ASCII, its domain in DNS form; None for other text and forms that few servers take.

    >>> address(" ana@bücher.example ")
    'ana@xn--bcher-kva.example'
    >>> address("ana@example.com, bob@example.com")
    """
    if not isinstance(text, str):
        return None
    local, _, domain = keys.clean(text).rpartition("@")
    domain = domain if domain.isascii() else _in_the_dns(domain)
    found = f"{local}@{domain}"
    whole = _LOCAL.fullmatch(local) and len(local) <= 64 and _DOMAIN.fullmatch(domain)
    return found if whole and len(found) <= MAX_ADDRESS_CHARS else None


def _in_the_dns(domain: str) -> str:
    """Return a domain by IDNA 2008, with UTS 46, not transitional; empty if it has none or differs from its key, which
    suppression compares."""
    import idna  # late: it takes 15 ms

    try:
        found = idna.encode(domain, uts46=True, std3_rules=True).decode()
    except UnicodeError:
        return ""
    return found if found == keys.domain(domain) else ""


def mailbox(text: str) -> str:
    """Check the form of a mail address. Raises `ValueError`.

    >>> mailbox(" Ada@Example.org ")
    'Ada@Example.org'
    """
    if address(text) is None:
        raise ValueError(f"{_short(text)} is not a mail address: write it as ada@example.com")
    return keys.clean(text)


class NoCountry(ValueError):
    """A phone number has no country, and no default is given."""


def country(code: str) -> str:
    """Return the two letters of a country with phone numbers. Raises `ValueError`.

    >>> country("gb")
    'GB'
    """
    import phonenumbers

    if code.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"there is no country {code!r} that has phone numbers: write it as GB or US")
    return code.upper()


def e164(number: str, country: str | None = None) -> str:
    """Write a phone number in E.164: `+` and digits.

    Its country is its own, else `country`. Raises `ValueError`, and `NoCountry` without either.

    >>> e164("+44 20 7946 0958"), e164("0049 170 1234567"), e164("020 7946 0958", "GB")
    ('+442079460958', '+491701234567', '+442079460958')
    """
    import phonenumbers  # late: it takes 40 ms

    key = keys.key(number)  # the key turns 00 into +
    if not key.startswith("+") and country is None:
        raise NoCountry(
            f"the phone number {number!r} does not say its country: begin it with + and the country's code, as in"
            " +14155552671"
        )
    named = key.startswith("+")
    try:
        parsed = phonenumbers.parse(key, None if named else country)
    except phonenumbers.NumberParseException:
        raise ValueError(f"{number!r} is not a phone number: write it as +14155552671") from None
    # Check its length alone: numbering plans change faster than the installed data.
    found = str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    # is_possible_number would accept a number without its area code too.
    possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    if parsed.extension or not possible or (not named and found != keys.key(found)):
        raise ValueError(f"{number!r} is not a phone number that anybody can have: check its digits")
    if named and found != key:  # suppression compares the key
        raise ValueError(f"{number!r} can be read in several ways: write it as {found}, if that is meant")
    return found


def member(text: str) -> str:
    """Check a LinkedIn recipient: a profile's URL, its slug or an id. Raises `ValueError`.

    >>> member("ACoAAana"), member(" https://www.linkedin.com/in/ada-l/ ")
    ('ACoAAana', 'https://www.linkedin.com/in/ada-l/')
    """
    cleaned, key = keys.clean(text), keys.key(text)
    if key.lower() in _NOBODY:
        raise ValueError(
            f"{_short(text)} stands for nobody, as programs and spreadsheets write it: give the profile's URL or its id"
        )
    numbered = key.isascii() and key.isdigit() and "linkedin.com" in text.lower()  # a slug of digits: only in a URL
    if not (_ID.fullmatch(key) or numbered) or _BLANKS.search(cleaned) or cleaned.endswith(","):
        raise ValueError(
            f"{_short(text)} is no profile of LinkedIn's: write it as https://www.linkedin.com/in/NAME, or as its id"
        )
    return cleaned


_NOBODY = frozenset((
    "null", "none", "nil", "nan", "undefined", "unknown", "unavailable", "n.a.", "n.a", "na", "n-a", "true", "false",
    "yes", "no", "tbd", "me",
))  # fmt: skip
"""Words for an empty cell, and LinkedIn's alias of the caller; as in send_check_recipient."""
_BLANKS = re.compile("[ \t-\r\u1680\u2028\u2029]")
_IN_ID = r"(?:[0-9A-Za-z_%.-]|[^\x00-\x7f])*"
_ID = re.compile(
    _IN_ID + "[A-Za-z\u00aa\u00b5\u00ba\u00c0-\u1fff\u2c00-\u2dff\u3005-\u3007\u3021-\ufdff\ufe70-\uffef"
    "\U00010000-\U0001efff\U00020000-\U0003ffff]" + _IN_ID
)
"""An id has a letter; as in send_check_recipient."""


def endpoint(url: str) -> str:
    """Check the URL of a webhook. Raises `ValueError`, also for a URL with a password, which the table would show.

    >>> endpoint("https://example.org/hooks?id=7")
    'https://example.org/hooks?id=7'
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        named = False
    if not named or any(c.isspace() for c in url):
        raise ValueError(f"{url!r} is not the URL of a webhook: write it as https://example.org/hooks")
    if "@" in parts.netloc:
        raise ValueError("the URL of a webhook may hold no name and no password: take out what stands before the @")
    return url
