"""An outcome on its way from the provider to the database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from send_queue.core.results import as_json, as_row
from send_queue.model import Failed, Retry
from send_queue.providers import Providers
from send_queue.testing.facing import a_send


@pytest.mark.parametrize(("after", "seconds"), [(None, 60), (timedelta(seconds=5), 60), (timedelta(hours=2), 7200)])
def test_a_provider_may_ask_for_a_longer_wait_and_for_no_shorter_one(after: timedelta | None, seconds: int) -> None:
    """The campaign's back-off, up to a tenth longer, is the least."""
    row = as_json(a_send("log", "r", backoff_seconds=(60,)), Retry("busy", "", after))
    assert seconds <= row["retry_seconds"] <= 1.1 * seconds


def test_half_a_letter_and_a_nul_are_replaced() -> None:
    """Postgres takes neither."""
    row = as_row(a_send("log", "r", provider="log"), Failed("odd", "a\ud83d b\0 c"), Providers({}))
    assert row["error_message"] == "a? b\N{REPLACEMENT CHARACTER} c"
