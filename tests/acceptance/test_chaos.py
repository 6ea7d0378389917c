"""The promise itself: never twice, never lost, with everything that can go wrong going wrong at once.

`make chaos` is the full run; this is as much of it as fits into every test run.
"""

from __future__ import annotations

from chaos import chaos


def test_nothing_is_sent_twice_or_lost_whatever_is_killed() -> None:
    """All channels at once; runs, connections, Postgres and the providers are killed at any moment, and the providers
    drop, delay, refuse, spoil and hide. Afterwards nothing was accepted twice, each row is final, or a person's where
    its provider cannot tell, and table, ledger, tallies, counts and caps agree with the journal."""
    said: list[str] = []

    played = chaos.play(kills=25, seed=1, rows=80, say=said.append)

    assert played.broken == [], "\n".join(said)
    assert played.counts["rows sent"] > 50
    assert played.counts["… with a send in hand"] > 5
