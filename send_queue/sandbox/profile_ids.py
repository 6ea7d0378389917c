"""Ids, slugs and names of people, computed from each other without memory.

A provider id holds the slug, and with viewer-scoped ids the account that saw it: it keeps its meaning after a restart,
and an account can tell another's ids from its own.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_OURS = re.compile(r"ACoAASBX([0-9a-f]{8})([A-Za-z0-9_-]+)")
_EVERYBODY = "0" * 8


def own_id(account_id: str) -> str:
    """Return the member id of the account's profile."""
    return "ACoAA" + urlsafe_b64encode(hashlib.sha256(account_id.encode()).digest()).decode()[:34]


def viewer(account_id: str) -> str:
    """Return an account's mark in the ids that it sees."""
    return hashlib.sha256(account_id.encode()).hexdigest()[:8]


def provider_id(slug: str, seen_by: str | None) -> str:
    """Return the id of a slug's person, for everybody or for one account."""
    mark = _EVERYBODY if seen_by is None else viewer(seen_by)
    return f"ACoAASBX{mark}{urlsafe_b64encode(slug.encode()).decode().rstrip('=')}"


def is_another_viewers(identifier: str, account_id: str) -> bool:
    """Whether this id was made for another account."""
    ours = _OURS.fullmatch(identifier)
    return ours is not None and ours[1] not in (_EVERYBODY, viewer(account_id))


def is_identifier(text: str) -> bool:
    """Whether this may be a provider id or a public identifier; URLs, names with blanks and addresses are neither."""
    return re.fullmatch(r"[\w%.~-]+", text) is not None


def is_provider_id(identifier: str) -> bool:
    """Whether this begins like LinkedIn's ids; other identifiers are public slugs."""
    return identifier.startswith(("ACo", "ADo", "AEo"))


def slug(identifier: str) -> str:
    """Return the public slug of an id."""
    ours = _OURS.fullmatch(identifier)
    if ours is not None:
        try:
            return urlsafe_b64decode(ours[2] + "=" * (-len(ours[2]) % 4)).decode()
        except ValueError:
            pass
    return identifier


def names(public_slug: str) -> tuple[str, str]:
    """Guess first and last name from a slug: ada-lovelace is Ada Lovelace."""
    words = [word.capitalize() for word in re.split(r"[-_. ]+", public_slug) if word]
    return (words[0] if words else "Somebody"), " ".join(words[1:])
