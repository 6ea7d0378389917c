"""Who is a message for? What a channel takes for a recipient, in the form in which it is stored.

Only what can be told without asking anybody; the provider has the last word.
"""

from __future__ import annotations

from urllib.parse import urlsplit


def checked(channel: str, recipient: str) -> str:
    """The recipient as it is to be stored. Raises `ValueError`, with the reason, where the channel can send to none of
    this form.

    >>> checked("sms", "+1 (415) 555-2671"), checked("email", "ada@example.org")
    ('+14155552671', 'ada@example.org')
    """
    match channel:
        case "sms":
            return e164(recipient)
        case "webhook":
            return endpoint(recipient)
        case _:
            return recipient


def e164(number: str) -> str:
    """A phone number as providers take it, `+` and its digits, whatever stands between those.

    It must name its country: which one is meant, nobody can tell from here. Raises `ValueError`.

    >>> e164("+44 20 7946 0958")
    '+442079460958'
    """
    import phonenumbers  # 40 ms, and most channels have no use for it

    if not number.strip().startswith("+"):
        raise ValueError(
            f"the phone number {number!r} does not say its country: begin it with + and the country's code, as in"
            " +14155552671"
        )
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        raise ValueError(f"{number!r} is not a phone number: write it as +14155552671") from None
    # Its length, as the country has it, and not its digits: numbering plans change faster than what is installed.
    if parsed.extension or not phonenumbers.is_possible_number(parsed):
        raise ValueError(f"{number!r} is not a phone number that anybody can have: check its digits")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


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
