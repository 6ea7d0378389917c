import time
from acceptance.conftest import *
from acceptance.test_invariant_1_caps import all_at_once


def test_b(queue, start):
    queue.ready(rows=60, daily_cap=20, max_in_flight=1)
    now = MONDAY
    for n in range(4):
        t = time.time()
        all_at_once(start, now)
        now += MINUTE
        print(
            n,
            round(time.time() - t, 1),
            len(queue.accepted()),
            queue.conn.execute("select calls from pg_stat_user_functions").fetchall(),
        )
        if n and len(queue.accepted()) == 20:
            break
