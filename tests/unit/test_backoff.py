"""When to try again."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st

from send_queue.rules import backoff
from send_queue.rules.backoff import JITTER, retry_seconds

DELAYS = st.lists(st.integers(0, 10**7), min_size=1, max_size=6)


def test_examples_in_docstrings_hold() -> None:
    """The examples in the docstring are the specification."""
    failed, tried = doctest.testmod(backoff)
    assert (failed, tried > 0) == (0, True)


def test_each_try_has_its_delay_and_the_last_one_repeats() -> None:
    """After the first try the first delay, after the second the second; when they are used up, the last."""
    assert [retry_seconds(n, (300, 900, 3600)) for n in range(1, 7)] == [300, 900, 3600, 3600, 3600, 3600]
    assert retry_seconds(10**6, (5,)) == 5


@given(st.integers(1, 50), DELAYS, st.floats(0, 1))
def test_chance_only_ever_adds_and_only_a_tenth(attempts: int, delays: list[int], chance: float) -> None:
    """Nothing is tried sooner than the campaign says, and not much later."""
    delay = delays[min(attempts, len(delays)) - 1]
    assert delay <= retry_seconds(attempts, delays, chance) <= delay * (1 + JITTER)


@given(DELAYS)
def test_a_delay_of_0_is_at_once(delays: list[int]) -> None:
    """A campaign may say that there is nothing to wait for."""
    assert retry_seconds(1, [0, *delays], 1.0) == 0
