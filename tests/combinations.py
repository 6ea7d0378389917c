"""Fewer cases than all combinations of some values, without a value or a pair of values that is left out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, cycle, islice, product
from typing import Any


def each_once(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows in which each value of each axis stands at least once."""
    return list(islice(zip(*map(cycle, axes), strict=False), max(map(len, axes))))


def pairwise(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows in which each two values of different axes meet at least once."""
    choices = list(product(*(range(len(axis)) for axis in axes)))
    missing = {pair for choice in choices for pair in combinations(enumerate(choice), 2)}
    rows = []
    while missing:
        best = max(choices, key=lambda choice: len(missing.intersection(combinations(enumerate(choice), 2))))
        missing.difference_update(combinations(enumerate(best), 2))
        rows.append(tuple(axis[nth] for axis, nth in zip(axes, best, strict=True)))
    return rows
