"""Pings of a dead-man's switch: at the beginning and the end of a run, in that order, and of no consequence to it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from dead_man import Switch, listening

from send_queue.model import ConfigurationError
from send_queue.providers import ping
from send_queue.providers.ping import Ping


@pytest.fixture
def switch() -> Iterator[Switch]:
    with listening() as switch:
        yield switch


def test_beginning_and_end_are_told_in_order(switch: Switch) -> None:
    """With the run's id, so that runs at once are told apart."""
    for run_id, well in (("1", True), ("2", False)):
        told = Ping(switch.url, run_id)
        told.start()
        told.end(well=well)
    assert switch.heard == ["/check/start?rid=1", "/check?rid=1", "/check/start?rid=2", "/check/fail?rid=2"]


def test_a_switch_that_hangs_holds_a_run_up_for_a_moment_only(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The beginning waits for nothing, the end for a bounded time."""
    monkeypatch.setattr(ping, "PING_TIMEOUT_SECONDS", 0.2)
    switch.go_on.clear()
    began = time.monotonic()
    told = Ping(switch.url, "1")
    told.start()
    told.end(well=True)
    assert time.monotonic() - began < 8  # seconds; it hangs for 10


def test_a_switch_that_is_away_is_no_error() -> None:
    """Silence is what it is there to notice."""
    told = Ping("http://127.0.0.1:1/check", "1")
    told.start()
    told.end(well=True)


@pytest.mark.parametrize("url", ["hc.example/uuid", "ftp://hc.example/", "https://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """In a sentence that does not repeat it, for it is a secret."""
    with pytest.raises(ConfigurationError) as wrong:
        Ping(url, "1")
    assert "hc.example" not in str(wrong.value)
