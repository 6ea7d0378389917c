"""The texts of messages: fields, templates, placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from send_queue import store
from send_queue.intake.columns import KNOWN, PERSON
from send_queue.model import ConfigurationError, Json, UserError
from send_queue.rules import placeholders, sms
from send_queue.store import Connection


class Filled(Protocol):
    """A text with fields to fill in, like `templates.Template`. `words` is its fixed text."""

    name: str
    html: bool
    words: str

    def render(self, fields: Mapping[str, Any]) -> str: ...


@dataclass(frozen=True, slots=True)
class Wording:
    """Sources of the texts of messages: a str with {fields}, or a template. None: each line brings its own, in the
    column of that name (HTML: in its payload). `literal` True: {{ and }} are braces, and text that looks like a
    placeholder is sent unchanged."""

    message: str | Filled | None = None
    subject: str | Filled | None = None
    html: Filled | None = None
    literal: bool = False


MAX_CHARS = 1_000_000
"""The most characters of a filled text, as in `template_language`, which imports jinja2."""

LITERAL_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
PLACE = re.compile(rf"\{{\{{({placeholders.NAME})\}}\}}|{LITERAL_PLACE.pattern}")
"""A field, {name} or {{name}}, or a doubled brace for a brace; `LITERAL_PLACE` matches {name} alone."""

SHOWN = ("line", "recipient", "subject", "message")

EXAMPLES = 3
"""Texts that a dry run shows."""


def check_texts(channel: str, subject: str | None, message: str) -> None:
    """Refuse texts that no provider of the channel sends. Raises `ValueError` with the reason."""
    if channel == "email" and not (subject or "").strip():
        raise ValueError("the mail has no subject: give it one")
    if channel == "sms" and len(message) > sms.MAX_TEXT_CHARS:
        raise ValueError(
            f"the text has {len(message):,} characters, and an SMS takes {sms.MAX_TEXT_CHARS:,} at the most: shorten it"
        )


def check_wording(wording: Wording, channel: str) -> None:
    """Refuse texts that cannot be filled in, and texts without a place in the channel. Raises `UserError`."""
    for text, what in ((wording.message, "message"), (wording.subject, "subject")):
        if isinstance(text, str):
            check_template(text, what, wording.literal)
    if wording.html is not None and channel != "email":
        raise UserError(f"An HTML text is for the channel email, not for {channel}: leave out --html.")


def check_placeholders(wording: Wording, fields: Iterable[str]) -> None:
    """Raise `UserError` for text that looks like a placeholder and is none."""
    for text, what in ((wording.message, "The message"), (wording.subject, "The subject"), (wording.html, "")):
        if wording.literal or text is None:
            continue
        if isinstance(text, str):
            placeholders.refuse_signs(text, what)
            rest = PLACE.sub(lambda at: "\0" if at.lastindex else at[0], text)
            placeholders.refuse(rest, what, fields, "write {first_name}")
        else:
            placeholders.refuse(text.words, text.name, fields, "write {{ first_name }}", html=text.html)


def check_fields(wording: Wording, fields: Iterable[str], problem: str, *, mappable: bool = False) -> None:
    """Raise `UserError` for a {field} that none of the messages has. `mappable`: its column may be named."""
    fields = set(fields)
    for text, what in ((wording.message, "message"), (wording.subject, "subject")):
        for place in (LITERAL_PLACE if wording.literal else PLACE).finditer(text if isinstance(text, str) else ""):
            name = place[place.lastindex].strip() if place.lastindex else None
            if name is not None and placeholders.meant(name, fields) is None:
                raise UserError(
                    f"The {what} needs {place[0]}, and {problem}: {_instead(place[0], name, fields, mappable)}."
                )


def _instead(place: str, name: str, fields: Iterable[str], mappable: bool) -> str:
    from difflib import get_close_matches

    folded = {placeholders.fold(field): field for field in sorted(fields)}
    close = get_close_matches(placeholders.fold(name), folded, 1)
    ways = [f"write {{{folded[close[0]]}}}" if close else f"use one of the fields ({', '.join(sorted(fields))})"]
    known = placeholders.meant(name, KNOWN)
    if mappable and known:
        ways.append(f'name its column with --map "Column={known}"')
    if place.startswith("{{"):
        ways.append(f"add --literal to send {{{name}}}")
    return ", or ".join(ways)


def check_standing(message: str | None, subject: str | None, fields: Iterable[str]) -> None:
    """Raise `UserError` for text sent unchanged that looks like a placeholder."""
    for text, what in ((message, "The message"), (subject, "The subject")):
        write = "write a template with {{ first_name }} and give it with --template"
        placeholders.refuse(text or "", what, fields, write)


def check_template(template: str, what: str = "message", literal: bool = False) -> None:
    """Refuse a single brace outside a {field}: it would be sent unchanged."""
    rest = (LITERAL_PLACE if literal else PLACE).sub("", template)
    for brace, other, mend in (("{", "}", "close it"), ("}", "{", "take it out")):
        if brace in rest:
            raise UserError(f"The {what} has a {brace} without its {other}: {mend}, or write {brace * 2} for the brace "
                            "itself.")  # fmt: skip


def filled(text: str | Filled, fields: Mapping[str, Any], literal: bool = False) -> str:
    """Fill in a text of either kind. Raises `ValueError` with the name of an empty field."""
    if isinstance(text, str):
        return render(text, fields, literal)
    return text.render(fields if literal else without_nothing(fields))


def without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Empty the fields, those of `attributes` too, that hold a word for nothing or another tool's placeholder."""

    def kept(value: Any) -> Any:
        if isinstance(value, Mapping):
            return without_nothing(value)
        empty = isinstance(value, str) and (placeholders.is_nothing(value) or placeholders.is_whole(value))
        return "" if empty else value

    return {name: kept(value) for name, value in fields.items()}


def fields_of(conn: Connection, campaign: str, channel: str, recipient: str, workspace: str | None) -> dict[str, Any]:
    """Return a recipient's fields: the prospect's columns, empty if unknown, and its attributes."""
    try:
        known = store.prospect_fields(conn, campaign, channel, recipient, workspace)
    except ConfigurationError:  # a role may enqueue without reading
        known = {}
    return {**dict.fromkeys(PERSON, ""), **known.get("attributes", {}), **known, "recipient": recipient}


def worded(wording: Wording, channel: str, fields: Mapping[str, Any], payload: Json | None) -> Json:
    """Fill in the texts of one message for `enqueue`, and add the HTML text to the payload. Raises `UserError` with the
    name of a missing field."""
    check_wording(wording, channel)
    check_placeholders(wording, fields)
    texts: Json = {}
    try:
        if wording.message is not None:
            texts["message"] = filled(wording.message, fields)
        if wording.subject is not None:
            texts["subject"] = one_line(filled(wording.subject, fields))
        if wording.html is not None:
            payload = (payload or {}) | {"html": filled(wording.html, fields)}
    except ValueError as error:
        said = str(error)
        raise UserError(f"{said[0].upper()}{said[1:]}: mend it, or give the field with --field.") from None
    return texts | {"payload": payload}


def one_line(subject: str) -> str:
    """Check a filled subject. Raises `ValueError` unless it is one line."""
    if "\n" in subject or "\r" in subject:
        raise ValueError("the subject has a line break, and must be one line")
    return subject.strip()


def render(template: str, fields: Mapping[str, str], literal: bool = False) -> str:
    """Fill in the fields {name} and {{name}}; other {{ and }} stand for braces, with `literal` all do.

    >>> render("Hi {{firstName}}, { Company } {{!}}", {"first_name": "Zoë", "company": "Z"})
    'Hi Zoë, Z {!}'

    Raises `ValueError` with the name of a missing or empty field, since nobody wants to read "Hi ,", and for a text of
    more than `MAX_CHARS`.
    """
    size = len(template)

    def fill(place: re.Match[str]) -> str:
        nonlocal size
        if place.lastindex is None:
            return place[0][0]
        name = place[place.lastindex].strip()
        value = fields.get(placeholders.meant(name, fields) or "")
        if not value:
            raise ValueError(f"the message needs {{{name}}}, which this person lacks")
        if not literal and placeholders.is_nothing(value):
            raise ValueError(f"the message needs {{{name}}}, and this person has {value!r} there, a word for nothing")
        if not literal and placeholders.is_whole(value):
            raise ValueError(f"the message needs {{{name}}}, and this person has {value!r} there, a placeholder")
        size += len(value)
        if size > MAX_CHARS:
            raise ValueError(f"the message is longer than {MAX_CHARS:,} characters: shorten it or its fields")
        return value

    return (LITERAL_PLACE if literal else PLACE).sub(fill, template)
