"""An account is given only what its provider serves, whichever way a row comes in."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from builders import AT, Connection, Queue
from sizes import share

from send_queue import store
from send_queue.model import CHANNELS, UserError
from send_queue.store import STAGED

PROVIDERS = {
    "unipile": {"linkedin_invite", "linkedin_message"},
    "smtp": {"email"},
    "sendgrid": {"email"},
    "twilio": {"sms"},
    "log": set(CHANNELS),
    "pigeon": {"email", "sms"},
    "stranger": set(CHANNELS),  # nobody has noted what it serves
}
PEOPLE = {"linkedin_invite": "ACoAA", "linkedin_message": "ACoAA", "email": "p@example.org", "sms": "+447700900"}


def recipient(channel: str, n: int) -> str:
    known = PEOPLE.get(channel, "r")
    return f"p{n}@example.org" if channel == "email" else f"{known}{n:03}"


def imported(conn: Connection, channel: str, people: list[str], accounts: list[str | None]) -> int:
    """Lines as the command stages them; returns how many were stored."""
    lines = []
    for n, (person, account) in enumerate(zip(people, accounts, strict=True)):
        line: dict[str, Any] = dict.fromkeys(STAGED)
        line |= {"line": n + 2, "recipient": person, "message": "Hi", "attributes": "{}", "payload": "{}",
                 "account": account, "dedupe_key": f"{channel}:{person}:{people[:n].count(person)}"}  # fmt: skip
        lines.append([line[name] for name in STAGED])
    answer = store.import_lines(conn, lines, "spring", channel, None, AT, lambda answer: not answer["wrong"])
    return int(answer["created"])


def test_no_row_is_given_to_an_account_that_does_not_serve_its_channel(conn: Connection) -> None:
    """Pools by chance, by enqueue, import and INSERT, named or not: stored where it can go, or refused."""
    queue, chance = Queue(conn), random.Random(7)
    queue.call("send_note_providers", served={"pigeon": ["email", "sms", "smoke"]})
    stored = refused = 0
    for pool in range(share(60, 200)):
        with conn.transaction(force_rollback=True):
            names = {f"a{pool}x{n}": chance.choice(list(PROVIDERS)) for n in range(chance.randint(1, 5))}
            for name, provider in names.items():
                queue.account(name, provider=provider)
            campaign = queue.campaign("spring", [name for name in names if chance.random() < 0.8])
            for n in range(12):
                channel = chance.choice(["linkedin_invite", "linkedin_message", "email", "sms", "webhook", "log"])
                account = chance.choice([None, None, *names])
                person = recipient(channel, chance.randrange(4))
                try:
                    with conn.transaction():
                        match n % 3:
                            case 0:
                                more = {"account": account} if account else {}
                                queue.enqueue(campaign="spring", channel=channel, recipient=person, **more)
                            case 1:
                                stored += imported(conn, channel, [person], [account]) - 1
                            case _:
                                queue.do(
                                    "insert into send_queue (campaign_id, account_id, channel, recipient, message) "
                                    "values (%s, (select id from send_accounts where name = %s), %s, %s, 'Hi')",
                                    campaign,
                                    account,
                                    channel,
                                    person,
                                )
                        stored += 1
                except (UserError, psycopg.Error) as error:
                    refused += any(said in str(error) for said in ("does not send", "has no accounts", "No account in"))
            served = [(provider, channel) for provider, channels in PROVIDERS.items() for channel in channels]
            given = queue.all(
                "select a.provider, q.channel from send_queue q join send_accounts a on a.id = q.account_id"
            )
            assert {pair for pair in given if pair[1] != "log"} <= set(served)
    assert stored > share(150, 500)
    assert refused > share(90, 300)


def test_a_mixed_pool_gives_each_channel_to_those_that_serve_it(conn: Connection) -> None:
    """Half of a pool are seats, half are mailboxes: a person has one of each, and stays with both."""
    queue = Queue(conn)
    for name, provider in {"seat1": "unipile", "seat2": "unipile", "box1": "smtp", "box2": "smtp"}.items():
        queue.account(name, provider=provider)
    queue.campaign("spring", ["seat1", "seat2", "box1", "box2"])
    [ada] = queue.all(
        "insert into send_prospects (workspace_id, linkedin_user_id, email) "
        "select id, 'ACoAAada', 'ada@example.org' from send_workspaces returning id"
    )
    for n in range(8):
        for channel, person in (("email", "ada@example.org"), ("linkedin_invite", "ACoAAada"),
                                ("linkedin_message", "ACoAAada")):  # fmt: skip
            queue.enqueue(channel=channel, recipient=person, dedupe_key=f"{channel}{n}")
        queue.do(
            "insert into send_queue (campaign_id, prospect_id, channel, recipient, message) "
            "select id, %s, 'email', 'ada@example.org', 'Hi' from send_campaigns",
            ada,
        )
    used = queue.all(
        "select q.channel = 'email', a.provider, count(distinct a.id), count(*) from send_queue q"
        " join send_accounts a on a.id = q.account_id where q.prospect_id = %s group by 1, 2 order by 1",
        ada,
    )
    assert used == [(False, "unipile", 1, 16), (True, "smtp", 1, 16)]
    assert imported(conn, "email", [f"p{n}@example.org" for n in range(40)], [None] * 40) == 40
    shares = queue.all(
        "select a.name, count(*) from send_queue q join send_accounts a on a.id = q.account_id "
        "where q.channel = 'email' group by 1 order by 1"
    )
    assert shares == [("box1", 28), ("box2", 28)]


def test_a_pool_of_which_hardly_any_serves_the_channel_still_finds_it(conn: Connection) -> None:
    """One mailbox among a hundred seats gets all the mails."""
    queue = Queue(conn)
    queue.do(
        "insert into send_accounts (workspace_id, name, provider) "
        "select id, 'seat' || n, 'unipile' from send_workspaces, generate_series(1, 100) n"
    )
    queue.account("box", provider="smtp")
    queue.campaign("spring", ["box"])
    queue.do(
        "insert into send_campaign_accounts (workspace_id, campaign_id, account_id) "
        "select c.workspace_id, c.id, a.id from send_campaigns c, send_accounts a on conflict do nothing"
    )
    for n in range(5):
        queue.enqueue(channel="email", recipient=f"p{n}@example.org")
    assert queue.all("select distinct a.name from send_queue q join send_accounts a on a.id = q.account_id") == ["box"]


def test_who_was_written_to_before_stays_with_that_account_where_it_serves(conn: Connection) -> None:
    """The one account that older versions noted counts for the channels that it serves, and for no others."""
    queue = Queue(conn)
    seats = {name: queue.account(name, provider="unipile") for name in ("seat1", "seat2")}
    queue.account("box", provider="smtp")
    queue.campaign("spring", ["seat1", "seat2", "box"])
    queue.do(
        "insert into send_prospects (workspace_id, linkedin_user_id, email, account_id) "
        "select id, 'ACoAAada', 'ada@example.org', %s from send_workspaces",
        seats["seat2"],
    )
    queue.fill(30, account="seat2", channel="linkedin_invite")
    queue.enqueue(channel="linkedin_invite", recipient="ACoAAada")
    queue.enqueue(channel="email", recipient="ada@example.org")
    given = queue.all(
        "select q.channel, a.name from send_queue q join send_accounts a on a.id = q.account_id "
        "where q.prospect_id is not null order by 1"
    )
    assert given == [("email", "box"), ("linkedin_invite", "seat2")]


def test_a_new_person_with_several_lines_has_one_account(conn: Connection) -> None:
    """However the lines of a file are dealt out over the pool."""
    queue = Queue(conn)
    names = ["ada", "bea", "cat"]
    for name in names:
        queue.account(name, provider="smtp")
    queue.campaign("spring", names)
    assert imported(conn, "email", [f"p{n // 3}@example.org" for n in range(30)], [None] * 30) == 30
    accounts = queue.all("select count(distinct account_id) from send_queue group by recipient")
    assert accounts == [1] * 10
    assert queue.one("select count(distinct account_id) from send_queue") > 1


@pytest.mark.parametrize("served", [["email"], []], ids=["noted", "unknown"])
def test_a_provider_of_ones_own_is_known_once_it_is_noted(conn: Connection, served: list[str]) -> None:
    """Until then it is taken to serve all, so that nobody is kept from enqueueing by SQL."""
    queue = Queue(conn)
    queue.call("send_note_providers", served={"pigeon": served})
    queue.account("bird", provider="pigeon")
    queue.campaign("spring", ["bird"])
    queue.enqueue(channel="email", recipient="ada@example.org")
    if served:
        with pytest.raises(psycopg.Error, match="No account in the pool of the campaign 'spring' sends sms: add one"):
            queue.enqueue(channel="sms", recipient="+447700900123")
    else:
        queue.enqueue(channel="sms", recipient="+447700900123")
    assert queue.how_many() == 2 - len(served)


def test_what_providers_serve_is_noted_anew(conn: Connection) -> None:
    """A channel that a provider has no more goes; providers that are not named stay as they were."""
    queue = Queue(conn)
    queue.call("send_note_providers", served={"pigeon": ["email", "sms"]})
    queue.call("send_note_providers", served={"pigeon": ["sms"], "raven": ["post"]})
    queue.call("send_note_providers", served={"raven": ["post"]})
    noted = "select provider, channel from send_provider_channels where provider in ('pigeon', 'raven') order by 1"
    assert queue.all(noted) == [("pigeon", "sms"), ("raven", "post")]


@pytest.mark.parametrize("change", ["account_id = %(other)s", "channel = 'sms'"])
def test_an_update_by_hand_is_refused_where_the_channel_is_not_served(conn: Connection, change: str) -> None:
    """What waits stays where it can go; what is over is the operator's to write."""
    queue = Queue(conn)
    queue.account("ada", provider="smtp")
    other = queue.account("bob", provider="unipile")
    queue.campaign("spring", ["ada", "bob"])
    send = queue.enqueue(account="ada", channel="email", recipient="p@example.org")
    statement = f"update send_queue set {change.replace('%(other)s', '%s')}"  # noqa: S608 — our own
    given = [other] if "%s" in statement else []
    with pytest.raises(psycopg.Error, match="does not send") as refused:
        queue.do(statement, *given)
    assert (refused.value.sqlstate, queue.row(send)["channel"]) == ("SQ002", "email")
