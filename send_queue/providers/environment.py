"""Figures of providers that an operator may know better: undocumented delays, as variables of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from send_queue.model import ConfigurationError


def minutes(env: Mapping[str, str], variable: str, default: timedelta, least: int = 0) -> timedelta:
    """Return the minutes of a variable, else `default`.

    Raises `ConfigurationError`, which names the variable, if it is no whole number, or less than `least`.

    >>> minutes({"TWILIO_LAG_MINUTES": "5"}, "TWILIO_LAG_MINUTES", timedelta(minutes=2))
    datetime.timedelta(seconds=300)
    """
    given = env.get(variable, "").strip()
    if not given:
        return default
    if not re.fullmatch(r"[0-9]{1,5}", given) or int(given) < least:
        usual = max(least, int(default.total_seconds()) // 60)
        more = f" of {least} or more" if least else ""
        raise ConfigurationError(
            f"{variable} is not a number of minutes{more}: set it to one such as {usual}, or drop it."
        )
    return timedelta(minutes=int(given))
