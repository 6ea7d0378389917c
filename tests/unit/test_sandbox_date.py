"""The sandbox's answers say when they were given."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx

from send_queue.sandbox import Fault, Sandbox


def test_answers_are_dated_by_the_sandboxs_clock(tmp_path: Path) -> None:
    """A rehearsal in another time has one clock for what it lists and for its Date; another Date can be ordered."""
    noon = datetime(2031, 5, 1, 12, 0, 30, 900000, tzinfo=UTC)
    with Sandbox(tmp_path / "journal.jsonl", clock=lambda: noon) as sandbox:
        url, key = f"{sandbox.url}/api/v1/accounts/a", {"X-API-KEY": "any"}
        assert httpx.get(url, headers=key).headers.get_list("date") == ["Thu, 01 May 2031 12:00:30 GMT"]

        sandbox.order(Fault(op="account", status=503, headers={"Date": "Fri, 02 May 2031 12:00:00 GMT"}))
        assert httpx.get(url, headers=key).headers.get_list("date") == ["Fri, 02 May 2031 12:00:00 GMT"]
