"""How much the long tests play: `make test` plays a share of what `make full` does."""

from __future__ import annotations

import os

FULL = os.environ.get("SEND_QUEUE_TEST_FULL") == "1"


def share(share: int, whole: int) -> int:
    """Return the number for this run: of examples, rows, rounds."""
    return whole if FULL else share
