"""Providers carry messages out.

A provider turns a claimed send into an outcome. Every failure outside is an outcome; it raises only
`ConfigurationError`, for what its environment lacks: when it is made, or before anything of a send has left. The entry
points `send_queue.providers` name the classes, each in the shape of `Provider`; packages of others may add theirs.

Reading order: this protocol; http.py, which judges httpx's errors; address.py, credentials.py and environment.py;
probe.py; intermediary.py, refusals that are not the provider's own; meaning.py, a row of a table of errors; mail.py;
then one module or folder for each provider.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol, TypeGuard

from send_queue.model import Claimed, ConfigurationError, LookUp, Outcome


class Provider(Protocol):
    """One way of sending.

    channels      the channels that it serves
    longest_call  the longest time of one `send`, with all its requests and time-outs; a lease is longer
    lag           the longest delay of the provider's lists: a look-up that finds nothing proves nothing until the
                  attempt is older; None: no look-up exists
    """

    channels: frozenset[str]
    longest_call: timedelta
    lag: timedelta | None

    def __init__(self, env: Mapping[str, str]) -> None:
        """Read the environment; raise `ConfigurationError` if something is missing."""

    def send(self, send: Claimed) -> Outcome:
        """Send it, once, without an open transaction.

        Raises `ConfigurationError`, before anything has left, if the environment lacks the account's secret.
        """

    def look_up(self, send: Claimed) -> LookUp:
        """Find out whether an earlier attempt went out; change nothing."""

    def close(self) -> None:
        """Close connections."""


class InBatches(Provider, Protocol):
    """A provider that takes several sends of one lane in a call.

    batch  the most sends of a call; `longest_call` is then that of such a call
    """

    batch: int

    def send_batch(self, sends: Sequence[Claimed]) -> Sequence[Outcome]:
        """Send up to `batch` sends, as `send` does; return an outcome for each, in order."""


def takes_batches(provider: Provider) -> TypeGuard[InBatches]:
    """Whether a provider takes several sends in a call."""
    return hasattr(provider, "batch")


class Repeatable(Provider, Protocol):
    """A provider that accepts the same send once, however often it comes: by an idempotency key, an id of ours, or
    since it refuses a repetition.

    repeatable  for how long after the first try; `FOREVER`: always; None: not at all. A send in doubt is then sent
                again instead of looked up, if it is sure to arrive within that time. A first try with a lost answer is
                still `Uncertain`: it may have been accepted, so it counts against the cap.
    """

    repeatable: timedelta | None


class Located(Provider, Protocol):
    """A provider for rehearsals, which call this machine only: it names the hosts that it calls."""

    def hosts(self, send: Claimed) -> Collection[str]:
        """Return the hosts that `send` and `look_up` would call. Raises `ConfigurationError` as `send` does."""


def hosts_of(provider: Provider, send: Claimed) -> Collection[str] | None:
    """Return the hosts that a provider would call for a send; None if it does not name them."""
    hosts: Callable[[Claimed], Collection[str]] | None = getattr(provider, "hosts", None)
    return hosts(send) if hosts is not None else None


FOREVER = timedelta.max


def repeatable_for(provider: Provider) -> timedelta | None:
    """Return for how long a provider recognises a repeated send; None: it does not."""
    found: timedelta | None = getattr(provider, "repeatable", None)
    return found


class Providers:
    """The providers of this run, made when first needed and closed together."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._made: dict[str, Provider] = {}

    def serving(self, provider: str, channel: str) -> Provider:
        """Return the provider of an account's channel; the channel `log` always has the provider `log`.

        Raises `ConfigurationError` for an unknown name, and if it cannot be made.
        """
        from importlib.metadata import entry_points  # late: it is slow, and an idle run needs none

        name = "log" if channel == "log" else provider
        if name not in self._made:
            there = entry_points(group="send_queue.providers")
            found = [e for e in there if e.name == name]
            if not found:
                known = ", ".join(sorted(e.name for e in there))
                raise ConfigurationError(
                    f"There is no provider {name!r}: install the package that brings it,"
                    f" or give the account one of {known} with `send-queue account set`."
                )
            try:
                self._made[name] = found[0].load()(self._env)
            except ConfigurationError:
                raise
            except Exception as error:
                raise ConfigurationError(
                    f"The provider {name!r} cannot be loaded ({type(error).__name__}: {error}): mend or reinstall the"
                    " package that brings it."
                ) from error
        return self._made[name]

    def batches(self) -> dict[str, int]:
        """Return the batch of each provider made so far that takes several sends in a call."""
        return {name: made.batch for name, made in self._made.items() if takes_batches(made)}

    def close(self) -> None:
        for provider in self._made.values():
            provider.close()
        self._made.clear()
