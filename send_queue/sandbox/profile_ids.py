"""What is a person called? Ids, slugs and names that need no memory: each can be worked out from the other.

A provider id that the sandbox made holds the slug, and with viewer-scoped ids also whose eyes saw it: it
means the same after a restart, and another account's id can be told from one's own.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_OURS = re.compile(r"ACoAASBX([0-9a-f]{8})([A-Za-z0-9_-]+)")
_EVERYBODY = "0" * 8


def own_id(account_id: str) -> str:
    """The member id of the account's own profile."""
    return "ACoAA" + urlsafe_b64encode(hashlib.sha256(account_id.encode()).digest()).decode()[:34]


def viewer(account_id: str) -> str:
    """The mark of one account in the ids that it sees."""
    return hashlib.sha256(account_id.encode()).hexdigest()[:8]


def provider_id(slug: str, seen_by: str | None) -> str:
    """The id of the person behind a slug, as everybody sees it or as one account does."""
    mark = _EVERYBODY if seen_by is None else viewer(seen_by)
    return f"ACoAASBX{mark}{urlsafe_b64encode(slug.encode()).decode().rstrip('=')}"


def is_another_viewers(identifier: str, account_id: str) -> bool:
    """Was this id made for another account?"""
    ours = _OURS.fullmatch(identifier)
    return ours is not None and ours[1] not in (_EVERYBODY, viewer(account_id))


def is_identifier(text: str) -> bool:
    """Can this be a provider id or a public identifier? A URL, a name with blanks and an address cannot."""
    return re.fullmatch(r"[\w%.~-]+", text) is not None


def is_provider_id(identifier: str) -> bool:
    """LinkedIn's ids begin like this; everything else is a public slug."""
    return identifier.startswith(("ACo", "ADo", "AEo"))


def slug(identifier: str) -> str:
    """The public slug of a person known by id."""
    ours = _OURS.fullmatch(identifier)
    if ours is not None:
        try:
            return urlsafe_b64decode(ours[2] + "=" * (-len(ours[2]) % 4)).decode()
        except ValueError:
            pass
    return identifier


def names(public_slug: str) -> tuple[str, str]:
    """First and last name as the slug suggests them: ada-lovelace is Ada Lovelace."""
    words = [word.capitalize() for word in re.split(r"[-_. ]+", public_slug) if word]
    return (words[0] if words else "Somebody"), " ".join(words[1:])
