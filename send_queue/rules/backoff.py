"""When to try again what certainly did not go out, and when to ask again about what may have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

JITTER = 0.1
"""The share of a delay that chance may add, so that what failed together does not come back together."""


def retry_seconds(attempts: int, backoff_seconds: Sequence[int], chance: float = 0.0) -> float:
    """Say how many seconds to wait after the `attempts`-th try that counted; `chance` is drawn from 0 to 1.

    The last delay repeats.

    >>> [retry_seconds(n, (300, 900, 3600)) for n in (1, 2, 3, 4)]
    [300.0, 900.0, 3600.0, 3600.0]
    >>> retry_seconds(1, (300,), chance=1.0)
    330.0
    """
    delay = backoff_seconds[min(attempts, len(backoff_seconds)) - 1]
    return delay * (1 + JITTER * chance)


LOOK_UPS = tuple(timedelta(minutes=m) for m in (2, 10, 60, 360, 1440))
"""When a provider that could not tell is asked again; after the last it is a person's turn."""


def look_up_again(times: int) -> timedelta | None:
    """Say when to ask again after a provider could not tell for the `times + 1`-th time; None: never.

    >>> [str(look_up_again(n)) for n in (0, 1, 4, 5)]
    ['0:02:00', '0:10:00', '1 day, 0:00:00', 'None']
    """
    return LOOK_UPS[times] if times < len(LOOK_UPS) else None
