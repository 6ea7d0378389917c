"""The promise itself: never twice, never lost, with everything that can go wrong going wrong at once.

`make chaos` is the full run; this is as much of it as fits into every test run.
"""

from __future__ import annotations

from chaos import chaos


def test_nothing_is_sent_twice_or_lost_whatever_is_killed() -> None:
    """Runs, connections, Postgres and the provider are killed at any moment, and the provider drops, delays, refuses,
    spoils and hides: afterwards each row is final, and table, ledger, tallies and caps agree with the journal."""
    said: list[str] = []

    played = chaos.play(kills=25, seed=1, rows=80, say=said.append)

    assert played.broken == [], "\n".join(said)
    assert played.counts["rows sent"] > 50
    assert played.counts["… with a send in hand"] > 5
