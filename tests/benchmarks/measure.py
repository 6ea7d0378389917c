"""What a figure is: two series of numbers, taken in turn, and the bar for their ratio, or one series and its own bar.

Absolute numbers move from machine to machine and from minute to minute, so a ratio is taken of each round, whose parts
were measured one after the other, and the median of the ratios is held against the bar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


class Broken(Exception):
    """What was to be measured did not happen."""


class Absent(Exception):
    """What it is measured on is not installed here."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `ours` and `rival` are in `unit`; without a bar it is there to be compared with."""

    what: str
    unit: str
    ours: Sequence[float]
    rival: Sequence[float] = ()
    at_most: float | None = None
    at_least: float | None = None
    note: dict[str, Any] = field(default_factory=dict)
    """What else was seen: for the JSON."""

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios; None without a rival."""
        return median(self.ratios) if self.rival else None

    @property
    def ratios(self) -> list[float]:
        return [a / b for a, b in zip(self.ours, self.rival, strict=True)] if self.rival else []

    @property
    def passed(self) -> bool | None:
        value = self.ratio if self.ratio is not None else median(self.ours)
        if self.at_most is not None:
            return value <= self.at_most
        return value >= self.at_least if self.at_least is not None else None

    @property
    def bar(self) -> str:
        if self.at_most is not None:
            return f"≤ {_short(self.at_most)}"
        return f"≥ {_short(self.at_least)}" if self.at_least is not None else ""

    def as_json(self) -> dict[str, Any]:
        return {
            "figure": self.what,
            "unit": self.unit,
            "ours": _summary(self.ours),
            "rival": _summary(self.rival) if self.rival else None,
            "ratio": self.ratio,
            "ratios": _summary(self.ratios) if self.rival else None,
            "bar": self.bar or None,
            "passed": self.passed,
            **self.note,
        }

    def __str__(self) -> str:
        verdict = {True: "pass", False: "MISS", None: ""}[self.passed]
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else ""
        name = f"{self.what}, {self.unit}"
        return (
            f"{name:<42} {_range(self.ours):<19} {_range(self.rival):<19} {ratio:>5} {self.bar:>6} {verdict}".rstrip()
        )


HEADER = f"{'figure':<42} {'ours (min–max)':<19} {'against (min–max)':<19} {'ratio':>5} {'bar':>6}"


def in_turn(rounds: int, *contenders: Callable[[], float]) -> list[list[float]]:
    """Measure one after the other, so many times: A, B, A, B … Returns the series of each."""
    series: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, seen in zip(contenders, series, strict=True):
            seen.append(contender())
    return series


def must(holds: bool, otherwise: str) -> None:
    """Raise `Broken` where what was measured was not what was meant."""
    if not holds:
        raise Broken(otherwise)


def _summary(values: Sequence[float]) -> dict[str, Any]:
    return {"median": median(values), "min": min(values), "max": max(values), "values": list(values)}


def _range(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = _short(median(values))
    return middle if len(values) == 1 else f"{middle} ({_short(min(values))}–{_short(max(values))})"


def _short(value: float) -> str:
    """Three digits are enough for a person: 0.123, 1.23, 12.3, 123, 1234, 12.3k, 123k."""
    if value >= 10_000:
        return f"{value / 1000:.3g}k" if value < 999_500 else f"{value / 1e6:.3g}M"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
