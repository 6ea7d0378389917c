"""The installed providers and their channels, from the entry points `send_queue.providers`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def names() -> Collection[str]:
    """Return the names of the installed providers."""
    from importlib.metadata import entry_points  # late: it is slow

    return entry_points(group="send_queue.providers").names


def provider(name: str) -> Any:
    """Return the class of a provider; None if it is unknown here, or cannot be loaded."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="send_queue.providers"):
        if entry.name == name:
            try:
                return entry.load()
            except Exception:  # another machine may load it
                return None
    return None


def channels(name: str) -> Collection[str] | None:
    """Return the channels of a provider, besides `log`, which all accounts have; None if it is unknown here."""
    declared = getattr(provider(name), "channels", None)
    return None if declared is None else frozenset(declared)


def served() -> Mapping[str, Collection[str]]:
    """Return the channels of each known provider."""
    return {name: declared for name in names() if (declared := channels(name)) is not None}
