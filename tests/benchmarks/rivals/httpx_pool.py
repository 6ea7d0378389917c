"""A bare thread pool around one httpx.Client: `httpx_pool.py URL N CONCURRENCY ACCOUNTS`.

Posts the messages that send-queue posts, to the same accounts and people and in the same form, and looks at nothing but
the status of the answers. Prints how many were accepted.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import httpx


def main(url: str, n: int, concurrency: int, accounts: int) -> None:
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    headers = {"X-API-KEY": "any", "accept": "application/json"}
    with httpx.Client(base_url=url, limits=limits, headers=headers, timeout=60) as client:

        def post(i: int) -> bool:
            fields = {"account_id": f"seat{i % accounts}", "attendees_ids": f"ACoAA{i}", "text": "Hello"}
            answer = client.post("/api/v1/chats", files=[(name, (None, value)) for name, value in fields.items()])
            return answer.status_code == httpx.codes.CREATED

        with ThreadPoolExecutor(concurrency) as pool:
            print(sum(pool.map(post, range(n))))


if __name__ == "__main__":
    main(sys.argv[1], *(int(number) for number in sys.argv[2:]))
