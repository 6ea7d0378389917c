"""`python witness.py JOURNAL PORT CLOCK FAULTS`: the sandbox, at the believed time, telling what it has in hand.

It prints its URL and serves until it is killed. A request that it has taken is carried out even when its client is
dead by then; whoever moves the clock waits until it has none in hand.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from send_queue.sandbox import Sandbox, app, read_faults, serve
from send_queue.sandbox.wire import Answer, Request

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.world import Believed


def main(journal: str, port: str, clock: str, faults: str) -> None:
    believed = Believed(Path(clock))
    lock = threading.Lock()
    answer = app.App.answer

    def counted(self: app.App, request: Request) -> Answer | None:
        with lock:
            believed.calls += 1
        try:
            return answer(self, request)
        finally:
            with lock:
                believed.calls -= 1

    app.App.answer = counted  # type: ignore[method-assign]  # only here, and only to count
    # A journal that is not synced survives every kill of a process, which is all that happens here.
    serve(Sandbox(Path(journal), int(port), faults=read_faults(Path(faults).read_bytes()), sync=False,
                  clock=believed.now))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
