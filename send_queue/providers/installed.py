"""Which providers are installed here, and which channels each serves: data, the entry points `send_queue.providers`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def names() -> Collection[str]:
    """The names of the providers that are installed here."""
    from importlib.metadata import entry_points  # dear, as elsewhere

    return entry_points(group="send_queue.providers").names


def provider(name: str) -> Any:
    """The class of a provider; None where it is not known here."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="send_queue.providers"):
        if entry.name == name:
            try:
                return entry.load()
            except Exception:  # one that cannot be loaded here may well be loaded where it sends
                return None
    return None


def channels(name: str) -> Collection[str] | None:
    """The channels of a provider; None where it is not known here. The channel `log` is served for all accounts."""
    declared = getattr(provider(name), "channels", None)
    return None if declared is None else frozenset(declared)


def served() -> Mapping[str, Collection[str]]:
    """The channels of each provider that is known here."""
    return {name: declared for name in names() if (declared := channels(name)) is not None}
