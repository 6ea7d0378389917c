"""Many runs at once: do they get in each other's way, and are the caps exact all the same?"""

from __future__ import annotations

import json
from statistics import median

from . import queues
from .bed import BIN, Bed
from .measure import Line, in_turn, must

LANES = 40
FEW = (1, 2, 4)
MANY = 16


def crowd(bed: Bed) -> list[Line]:
    """Rows a second of 16 runs at once, against the best of 1, 2 and 4. Each lane holds a quarter more than its cap."""
    cap = bed.size.crowd // LANES
    bed.database("crowd", lambda url: queues.build(url, lanes=LANES, pending=LANES * cap * 5 // 4, cap=cap))

    def runs(k: int) -> float:
        with bed.copy("crowd") as url:
            done = bed.at_once([[BIN / "send-queue", "run", "--json"]] * k, url)
            said = sum(json.loads(one.out)["sent"] for one in done)
            must(said == LANES * cap, f"{k} runs say that they sent {said} rows, not {LANES * cap}")
            must(queues.sent(url) == said, "the ledger does not say the same")
            used = queues.value(
                url,
                """
                select array_agg(distinct n)
                from (select count(*)::int as n from send_attempts where outcome = 'sent' group by account_id) lanes
                """,
            )
            must(used == [cap], f"with {k} runs the lanes sent {used}, and their cap is {cap}")
        return LANES * cap / max(one.seconds for one in done)

    many, *few = in_turn(bed.size.rounds, lambda: runs(MANY), *(lambda k=k: runs(k) for k in FEW))
    best = max(range(len(FEW)), key=lambda i: median(few[i]))
    note = {"best": FEW[best]} | {f"runs_{k}": series for k, series in zip(FEW, few, strict=True)}
    return [Line(f"{MANY} runs / best of 1, 2, 4", "rows/s", many, few[best], at_least=0.8, note=note)]
