"""Providers: what carries a message out of the house.

A provider turns a claimed send into an outcome. It never raises for what the world does (that is an outcome), only
`ConfigurationError` for what its environment lacks: when it is made, or before anything of a send has left. Which
providers there are is data: the entry points `send_queue.providers`, each naming a class with the shape of `Provider`;
one's own stand beside ours.

Reading order: this protocol; http.py, where httpx's errors are judged once; address.py, credentials.py and
environment.py, where it is, with which secret and what habits; intermediary.py, what a no means that is not the
provider's own; meaning.py, a row of a table of errors; mail.py, what a mail is; then one module or folder per provider.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol, TypeGuard

from send_queue.model import Claimed, ConfigurationError, LookUp, Outcome


class Provider(Protocol):
    """One way of sending.

    channels      the channels that it serves.
    longest_call  the longest that one `send` can last, all its requests and time-outs included: a lease is
                  longer than this.
    lag           how late the provider may list what it accepted: a look-up that finds nothing proves
                  nothing until the attempt is older than this. Null: it cannot be asked at all.
    """

    channels: frozenset[str]
    longest_call: timedelta
    lag: timedelta | None

    def __init__(self, env: Mapping[str, str]) -> None:
        """Take what it needs from the environment; raise `ConfigurationError` where something is missing."""

    def send(self, send: Claimed) -> Outcome:
        """Send it, once. Called with no transaction open.

        Raises `ConfigurationError`, before anything has left, where the environment lacks the account's secret.
        """

    def look_up(self, send: Claimed) -> LookUp:
        """Ask whether an earlier attempt went out. Only asks, changes nothing."""

    def close(self) -> None:
        """Give back connections."""


class InBatches(Provider, Protocol):
    """A provider that takes several sends of one lane in a call.

    batch  how many at the most. `longest_call` is then the longest that one such call can last.
    """

    batch: int

    def send_batch(self, sends: Sequence[Claimed]) -> Sequence[Outcome]:
        """As `send`, for up to `batch` sends: an outcome for each, in their order."""


def takes_batches(provider: Provider) -> TypeGuard[InBatches]:
    """Whether a provider takes several sends in a call."""
    return hasattr(provider, "batch")


class Repeatable(Provider, Protocol):
    """A provider that accepts the same send once, however often it comes: by an idempotency key, an id that we choose,
    or since it refuses what it has already.

    repeatable  for how long after the first try; `FOREVER`: it never forgets; null: not at all. A send in doubt is then
                sent again instead of being asked about, as long as it is sure to arrive within that time. A first try
                whose answer was lost is `Uncertain` all the same: it may have been accepted, so it stays in the cap.
    """

    repeatable: timedelta | None


class Located(Provider, Protocol):
    """A provider that can be rehearsed with: it says where it calls, and a rehearsal calls this machine only."""

    def hosts(self, send: Claimed) -> Collection[str]:
        """The hosts that `send` and `look_up` would call. Raises `ConfigurationError` as `send` does."""


def hosts_of(provider: Provider, send: Claimed) -> Collection[str] | None:
    """The hosts that a provider would call for a send; null where it does not say."""
    hosts: Callable[[Claimed], Collection[str]] | None = getattr(provider, "hosts", None)
    return hosts(send) if hosts is not None else None


FOREVER = timedelta.max


def repeatable_for(provider: Provider) -> timedelta | None:
    """For how long a provider knows a send again; null where it does not."""
    found: timedelta | None = getattr(provider, "repeatable", None)
    return found


class Providers:
    """The providers of this run, made when first needed and closed together."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._made: dict[str, Provider] = {}

    def serving(self, provider: str, channel: str) -> Provider:
        """The provider that serves the channel of an account; the channel `log` is always served by `log`.

        Raises `ConfigurationError` for a name that nothing is registered under, and where it cannot be made.
        """
        from importlib.metadata import entry_points  # dear, and a run that finds nothing due has no need of it

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
        """The names of those made so far that take several sends in a call, and how many."""
        return {name: made.batch for name, made in self._made.items() if takes_batches(made)}

    def close(self) -> None:
        for provider in self._made.values():
            provider.close()
        self._made.clear()
