"""The whole test file of the example provider."""

import pytest
from pigeon_post import Pigeon

from send_queue.testing import CHECKS, Subject, a_send, reply

PIGEON = Subject(
    Pigeon,
    env=lambda url: {"PIGEON_BASE_URL": url},
    send=lambda _url: a_send("webhook", "somebody"),
    yes=reply(201, b'{"letter": "7"}'),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_pigeon(check):
    check(PIGEON)
