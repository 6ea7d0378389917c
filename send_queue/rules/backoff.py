"""When to retry a send that did not go out, and when to repeat a look-up of one that may have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

JITTER = 0.1
"""The largest random share added to a delay, so that sends that failed together spread out."""


def retry_seconds(attempts: int, backoff_seconds: Sequence[int], chance: float = 0.0) -> float:
    """Return the seconds to wait after the `attempts`-th counted try; `chance` is drawn from 0 to 1.

    The last delay repeats.

    >>> [retry_seconds(n, (300, 900, 3600)) for n in (1, 2, 3, 4)]
    [300.0, 900.0, 3600.0, 3600.0]
    >>> retry_seconds(1, (300,), chance=1.0)
    330.0
    """
    delay = backoff_seconds[min(attempts, len(backoff_seconds)) - 1]
    return delay * (1 + JITTER * chance)


LOOK_UPS = tuple(timedelta(minutes=m) for m in (2, 10, 60, 360, 1440))
"""Waits between look-ups that could not tell; after the last a person settles the send."""


def look_up_again(times: int) -> timedelta | None:
    """Return the wait after the `times + 1`-th look-up that could not tell; None: no further look-up.

    >>> [str(look_up_again(n)) for n in (0, 1, 4, 5)]
    ['0:02:00', '0:10:00', '1 day, 0:00:00', 'None']
    """
    return LOOK_UPS[times] if times < len(LOOK_UPS) else None
