"""Who is a message for? What a channel takes for a recipient, in the form in which it is stored; and who is the same.

Only what can be told without asking anybody; the provider has the last word.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from send_queue.rules import keys

MAX_RECIPIENT_CHARS = 2000
"""As in send_check_recipient: the key of a long text takes long."""


def checked(channel: str, recipient: str, country: str | None = None) -> str:
    """The recipient as it is to be stored. Raises `ValueError`, with the reason, where the channel can send to none of
    this form. `country`: of a phone number that does not name its own, two letters; None: such a number is refused.

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
    """What all the ways in which one recipient is written have in common: for keys, never to send to.

    >>> same("email", " Ada@Example.org"), same("linkedin_invite", "https://www.linkedin.com/in/Ada-L/?trk=x")
    ('ada@example.org', 'ada-l')

    An id is its own: LinkedIn's differ by capitals, in a URL too.
    """
    return keys.key(recipient) if channel in _TO_PEOPLE else recipient.strip()


_TO_PEOPLE = ("email", "sms", "linkedin_invite", "linkedin_message")


def suppressed(channel: str | None, recipient: str, country: str | None = None) -> str:
    """Whom an entry of a list of people not to be written to means, as it is stored. Raises `ValueError` where it would
    keep nothing from anybody. `channel` None: all of them, so that the form of the recipient tells which kind it is.
    `country`: as `checked` has it.

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
    """The channel that a recipient is of, told by the form of its key: whatever is neither an address nor a number nor
    a URL elsewhere may be a slug or an id."""
    if re.fullmatch("[+]?[0-9]+", key):
        return "sms"
    if "://" in key:
        return "linkedin_invite" if _AT_LINKEDIN.match(key) else "webhook"
    return "email" if "@" in key else "linkedin_invite"


_AT_LINKEDIN = re.compile(r"https?://(?:[a-z0-9-]+\.)*linkedin\.com\b", re.IGNORECASE)
_SITE = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}")


MAX_ADDRESS_CHARS = 254
"""Characters (RFC 5321: a path has 256, two of which are its brackets)."""


def _short(text: str) -> str:
    """A text in quotes, as a sentence may have it in it."""
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TOP = r"(?:[a-z]{1,63}|xn--[a-z0-9-]{0,58}[a-z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_TOP}", re.IGNORECASE)
"""Of two labels at least, the last of which is a word: neither a machine's own name nor the number of one."""


def address(text: object) -> str | None:
    """A mail address in ASCII, its domain in the form of the DNS; null where it is none, or one that few servers take.

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
    """A domain as IDNA 2008 has it, with UTS 46 and not transitional; empty where it has none, or one that differs from
    its key: suppression compares that."""
    import idna  # 15 ms, and most domains are ASCII

    try:
        found = idna.encode(domain, uts46=True, std3_rules=True).decode()
    except UnicodeError:
        return ""
    return found if found == keys.domain(domain) else ""


def mailbox(text: str) -> str:
    """A mail address, as far as its form tells; no server is asked. Raises `ValueError`.

    >>> mailbox(" Ada@Example.org ")
    'Ada@Example.org'
    """
    if address(text) is None:
        raise ValueError(f"{_short(text)} is not a mail address: write it as ada@example.com")
    return keys.clean(text)


class NoCountry(ValueError):
    """A phone number does not say its country, and nothing else does."""


def country(code: str) -> str:
    """The two letters of a country that has phone numbers. Raises `ValueError`.

    >>> country("gb")
    'GB'
    """
    import phonenumbers

    if code.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"there is no country {code!r} that has phone numbers: write it as GB or US")
    return code.upper()


def e164(number: str, country: str | None = None) -> str:
    """A phone number as providers take it, `+` and its digits, whatever stands between those.

    Its country is the one that it names, else `country`. Raises `ValueError`, and `NoCountry` where neither is given:
    which one is meant, nobody can tell from here.

    >>> e164("+44 20 7946 0958"), e164("0049 170 1234567"), e164("020 7946 0958", "GB")
    ('+442079460958', '+491701234567', '+442079460958')
    """
    import phonenumbers  # 40 ms, and most channels have no use for it

    key = keys.key(number)  # 00 is a + there, as it is dialled in most countries
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
    # Its length, as the country has it, and not its digits: numbering plans change faster than what is installed.
    found = str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    # Nor is it one that is dialled inside of a town: is_possible_number takes that too.
    possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    if parsed.extension or not possible or (not named and found != keys.key(found)):
        raise ValueError(f"{number!r} is not a phone number that anybody can have: check its digits")
    if named and found != key:  # suppression compares the key
        raise ValueError(f"{number!r} can be read in several ways: write it as {found}, if that is meant")
    return found


def member(text: str) -> str:
    """A person of LinkedIn: the URL of a profile, its slug or an id. Raises `ValueError`.

    >>> member("ACoAAana"), member(" https://www.linkedin.com/in/ada-l/ ")
    ('ACoAAana', 'https://www.linkedin.com/in/ada-l/')
    """
    cleaned, key = keys.clean(text), keys.key(text)
    if key.lower() in _NOBODY:
        raise ValueError(
            f"{_short(text)} stands for nobody, as programs and spreadsheets write it: give the profile's URL or its id"
        )
    numbered = key.isascii() and key.isdigit() and "linkedin.com" in text.lower()  # a slug of figures: by its URL only
    if not (_ID.fullmatch(key) or numbered) or _BLANKS.search(cleaned) or cleaned.endswith(","):
        raise ValueError(
            f"{_short(text)} is no profile of LinkedIn's: write it as https://www.linkedin.com/in/NAME, or as its id"
        )
    return cleaned


_NOBODY = frozenset((
    "null", "none", "nil", "nan", "undefined", "unknown", "unavailable", "n.a.", "n.a", "na", "n-a", "true", "false",
    "yes", "no", "tbd", "me",
))  # fmt: skip
"""What stands in a cell for nothing, and LinkedIn's word for whoever asks; as send_check_recipient has it, in SQL."""
_BLANKS = re.compile("[ \t-\r\u1680\u2028\u2029]")
_IN_ID = r"(?:[0-9A-Za-z_%.-]|[^\x00-\x7f])*"
_ID = re.compile(
    _IN_ID + "[A-Za-z\u00aa\u00b5\u00ba\u00c0-\u1fff\u2c00-\u2dff\u3005-\u3007\u3021-\ufdff\ufe70-\uffef"
    "\U00010000-\U0001efff\U00020000-\U0003ffff]" + _IN_ID
)
"""With a letter in it; as send_check_recipient has it, in SQL."""


def endpoint(url: str) -> str:
    """The URL of a webhook. Raises `ValueError` where it is none, or holds a password, which the table would show.

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
