"""Putting one message in: in the caller's transaction, once for each key, and refused with a sentence."""

from __future__ import annotations

from datetime import datetime
from threading import Thread
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import AT, DAY, HOUR, TICK, Connection, Queue, at_once

PLENTY = {"campaign": "spring", "channel": "email", "recipient": "p@example.org", "message": "Hello"}

INVITED = {"channel": "linkedin_invite", "recipient": "ada-l"}

REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"channel": "fax"}, "There is no channel 'fax': use linkedin_invite,", "SQ002"),
    ({"channel": None}, "There is no channel NULL", "SQ002"),
    ({"recipient": " "}, "The recipient is missing: say whom to send to.", "SQ002"),
    ({"recipient": None}, "The recipient is missing", "SQ002"),
    ({"message": ""}, "The message is missing: say what to send.", "SQ002"),
    ({"message": None}, "The message is missing", "SQ002"),
    ({**INVITED, "message": ""}, r"The message is missing.*payload \{\"note\": false\}", "SQ002"),
    ({**INVITED, "message": None}, "The message is missing", "SQ002"),
    ({**INVITED, "message": "", "payload": {"note": True}}, "The message is missing", "SQ002"),
    ({**INVITED, "message": None, "payload": {"note": False}}, "The message is missing", "SQ002"),
    (
        {**INVITED, "message": "x" * 301},
        "The invitation has 301 characters: LinkedIn takes 300",
        "SQ002",
    ),
    ({"expires_at": AT}, "It would expire .* before it can go", "SQ002"),
    ({"expires_at": AT + HOUR, "scheduled_for": AT + HOUR}, "It would expire .* before it can go", "SQ002"),
    ({"payload": "[1]"}, "The payload is not a JSON object", "SQ002"),
    ({"priority": 40_000}, "The priority is out of range: use -32768 to 32767", "SQ002"),
    ({"campaign": "winter"}, "There is no campaign 'winter': see `send-queue campaign list`", "SQ005"),
    ({"campaign": None}, "There is no campaign", "SQ005"),
    ({"campaign": "spring", "workspace": "nowhere"}, "There is no workspace 'nowhere'", "SQ005"),
    ({"campaign": "over"}, "The campaign 'over' is done: resume it", "SQ006"),
    ({"campaign": "empty"}, "The campaign 'empty' has no accounts: add one with", "SQ006"),
    ({"account": "nobody"}, "There is no account 'nobody'", "SQ005"),
    ({"account": "eve"}, "There is no account 'eve'", "SQ005"),  # of another workspace
    ({"prospect": UUID(int=7)}, "There is no prospect 00000000-0000-0000-0000-000000000007 in the workspace", "SQ005"),
]


def world(queue: Queue) -> None:
    queue.workspace("other")
    queue.account("ada")
    queue.account("eve", workspace="other")
    queue.campaign("spring")
    queue.campaign("empty", [])
    queue.campaign("over", status="done")


def everything(queue: Queue) -> list[Any]:
    return [
        queue.all(f"select t::text from {table} t order by 1")  # noqa: S608 — our own tables
        for table in ("send_queue", "send_prospects", "send_lanes", "send_campaign_accounts")
    ]


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "says", "state"), REFUSALS)
def test_a_refusal_is_a_sentence_and_stores_nothing(
    conn: Connection, wrong: dict[str, Any], says: str, state: str
) -> None:
    """A remedy, and a code that a program can tell from others; a savepoint saves the caller's own data."""
    queue = Queue(conn)
    world(queue)
    before = everything(queue)
    with pytest.raises(psycopg.Error, match=says) as refused:
        queue.call("send_enqueue", **PLENTY | wrong, at=AT)
    assert (state, before) == (refused.value.sqlstate, everything(queue))
    with conn.transaction():
        conn.execute("create table mine as select 1")
        with pytest.raises(psycopg.Error, match=says), conn.transaction():
            queue.call("send_enqueue", **PLENTY | wrong, at=AT)
    assert before == everything(queue)
    assert queue.one("select count(*) from mine") == 1


@pytest.mark.parametrize(
    "fits",
    [
        {**INVITED, "message": "", "payload": {"note": False}},
        {**INVITED, "message": "é" * 300},
        {"expires_at": AT + TICK},
        {"priority": -32768},
        {"channel": "webhook", "recipient": "https://example.org", "payload": {}},
    ],
)
def test_what_just_fits_is_taken(conn: Connection, fits: dict[str, Any]) -> None:
    """The bounds themselves are inside."""
    queue = Queue(conn)
    world(queue)
    send_id, created = queue.call("send_enqueue", **PLENTY | fits, at=AT)
    assert created
    assert [send_id] == queue.took()


# --- what is stored ---------------------------------------------------------------------------------------


def test_only_four_are_required(conn: Connection) -> None:
    """By any driver, with named arguments: due now, at the default priority, from an account of the pool."""
    queue = Queue(conn)
    world(queue)
    conn.execute(
        "select * from send_enqueue(campaign => 'spring', channel => 'email', recipient => ' p@example.org ', "
        "message => 'Hello')"
    )
    assert queue.one("select recipient, message, priority, status, attempts, dedupe_key from send_queue") == (
        "p@example.org",
        "Hello",
        100,
        "pending",
        0,
        None,
    )
    assert queue.one("select scheduled_for <= clock_timestamp() from send_queue")
    assert len(queue.taken(None)) == 1


def test_it_commits_and_rolls_back_with_the_caller(database: str, conn: Connection) -> None:
    """Nobody sees the message before the caller's commit, and nobody ever does after a roll-back."""
    queue = Queue(conn)
    world(queue)
    with psycopg.connect(database) as other:
        Queue(other).enqueue()
        assert queue.taken() == []
        other.rollback()
        assert queue.statuses() == {}
        send_id = Queue(other).enqueue()
        other.commit()
    assert [send_id] == queue.took()


def test_the_lane_is_made_with_the_defaults_of_its_tier(conn: Connection) -> None:
    """Without a tier the most careful; an operator's own defaults are used for lanes from then on."""
    queue = Queue(conn)
    queue.account("ada")
    queue.account("bob", tier="sales_navigator")
    queue.campaign(accounts=["ada", "bob"])
    queue.enqueue(channel="linkedin_invite", recipient="x", account="ada")
    queue.enqueue(channel="linkedin_invite", recipient="y", account="bob")
    assert [queue.the_lane(a, "linkedin_invite")["daily_cap"] for a in ("ada", "bob")] == [20, 100]


# --- dedupe -----------------------------------------------------------------------------------------------


def test_a_key_that_is_there_returns_its_row(conn: Connection) -> None:
    """created is false, the id the first one's, and nothing is stored: unique in its workspace."""
    queue = Queue(conn)
    world(queue)
    queue.campaign("theirs", ["eve"], workspace="other")
    notices: list[str] = []
    conn.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    first, created = queue.call("send_enqueue", **PLENTY, dedupe_key="k", at=AT)
    before = everything(queue)
    assert ((first, False), []) == (queue.call("send_enqueue", **PLENTY, dedupe_key="k", at=AT), notices)
    assert (True, before) == (created, everything(queue))
    elsewhere = queue.call("send_enqueue", **PLENTY | {"campaign": "theirs"}, dedupe_key="k", at=AT)
    assert elsewhere[1]
    assert first != elsewhere[0]


@pytest.mark.parametrize("other", [{"message": "Bye"}, {"recipient": "q@example.org"}, {"channel": "log"}])
def test_a_key_with_other_content_warns(conn: Connection, other: dict[str, str]) -> None:
    """Nothing is stored, and the warning says so: two different messages were given one key."""
    queue = Queue(conn)
    world(queue)
    notices: list[tuple[str, str, str]] = []
    conn.add_notice_handler(lambda n: notices.append((str(n.severity), str(n.sqlstate), str(n.message_primary))))
    first, _ = queue.call("send_enqueue", **PLENTY, dedupe_key="k", at=AT)
    assert (first, False) == queue.call("send_enqueue", **PLENTY | other, dedupe_key="k", at=AT)
    [(severity, state, said)] = notices
    assert (severity, state) == ("WARNING", "SQ004")
    assert f"The dedupe key 'k' is there already, with other content (send {first}): use another key" in said


@pytest.mark.parametrize("blank", [None, "", " ", "\t\n "])
def test_a_blank_key_is_none(conn: Connection, blank: str | None) -> None:
    """A form's empty field is no key: the second person is stored too, however the row comes in or is changed."""
    queue = Queue(conn)
    world(queue)
    ids = [queue.call("send_enqueue", **PLENTY | {"recipient": f"{n}@example.org"}, dedupe_key=blank) for n in "ab"]
    assert [created for _, created in ids] == [True, True]
    by_hand = (
        "insert into send_queue (campaign_id, channel, recipient, message, dedupe_key) select id, 'log', 'r', 'm', %s"
    )
    for _ in "ab":
        queue.do(f"{by_hand} from send_campaigns where name = 'spring'", blank)
    queue.do("update send_queue set dedupe_key = %s", blank)
    assert queue.all("select count(*), count(dedupe_key) from send_queue") == [(4, 0)]


def test_many_who_enqueue_one_key_store_one_row(database: str, conn: Connection) -> None:
    """Twenty at once: one row, one created, and all are told the same id."""
    queue = Queue(conn)
    world(queue)
    answers = at_once(database, 20, lambda q, _: q.call("send_enqueue", **PLENTY, dedupe_key="k", at=AT))
    assert (len({send_id for send_id, _ in answers}), sum(created for _, created in answers)) == (1, 1)
    assert queue.statuses() == {"pending": 1}
    assert queue.one("select count(*) from send_prospects") == 1


def test_a_key_whose_first_holder_rolls_back_goes_to_the_second(database: str, conn: Connection) -> None:
    """Who comes second waits for the first; when that one's transaction fails, the second one's message is stored."""
    queue = Queue(conn)
    world(queue)
    queue.enqueue()  # so that lane and place are there
    answers: list[Any] = []
    with psycopg.connect(database) as other:
        Queue(other).enqueue(recipient="r@example.org", dedupe_key="k")
        waits = Thread(target=lambda: answers.append(queue.call("send_enqueue", **PLENTY, dedupe_key="k", at=AT)))
        waits.start()
        waits.join(0.2)
        assert waits.is_alive()
        other.rollback()
        waits.join(30)
    [(_, created)] = answers
    assert created


# --- the account ------------------------------------------------------------------------------------------


def test_the_least_loaded_account_is_chosen_in_days_of_work(conn: Connection) -> None:
    """An account with three times the cap gets three times the work; one that is stopped gets none."""
    queue = Queue(conn)
    names = ["slow", "fast", "stopped"]
    for name in names:
        queue.account(name)
    queue.campaign(accounts=names)
    queue.lane("slow", daily_cap=10)
    queue.lane("fast", daily_cap=30)
    queue.lane("stopped", daily_cap=1000)
    queue.call("send_pause", paused=True, kind="account", name="stopped")
    for _ in range(80):
        queue.enqueue()
    assert {("fast", 60), ("slow", 20)} == set(
        queue.all("select a.name, count(*) from send_queue q join send_accounts a on a.id = q.account_id group by 1")
    )


def test_a_prospect_stays_with_the_account_that_first_wrote(conn: Connection) -> None:
    """In other channels and campaigns too, as long as that account is in the pool."""
    queue = Queue(conn)
    for name in ("ada", "bob"):
        queue.account(name)
    queue.campaign("spring", ["ada", "bob"])
    queue.campaign("summer", ["ada", "bob"])
    queue.campaign("bob's own", ["bob"])
    who = "select a.name from send_queue q join send_accounts a on a.id = q.account_id where q.id = %s"
    first = queue.one(who, queue.enqueue(recipient="P@example.org", account="ada"))
    queue.fill(50, account="ada")
    assert [
        first,
        queue.one(who, queue.enqueue(recipient="p@example.org", campaign="summer")),
        queue.one(who, queue.enqueue(recipient="p@example.org", campaign="bob's own")),
        queue.one(who, queue.enqueue(recipient="p@example.org")),
    ] == ["ada", "ada", "bob", "ada"]
    assert queue.one("select count(*) from send_prospects") == 1


def test_two_messages_at_once_to_somebody_new_come_from_one_account(database: str, conn: Connection) -> None:
    """A prospect who has been imported, and whom nobody has written to: all the first messages go from one account."""
    queue = Queue(conn)
    names = [f"a{n}" for n in range(8)]
    for name in names:
        queue.account(name)
    queue.campaign(accounts=names)
    queue.do(
        "insert into send_prospects (workspace_id, email) select id, 'p' || n || '@example.org' "
        "from send_workspaces, generate_series(1, 30) n where name = 'default'"
    )

    def work(queue: Queue, thread: int) -> None:
        for n in range(1, 31):
            queue.enqueue(recipient=f"p{n}@example.org", message=f"{thread}")

    at_once(database, 6, work)
    assert (
        queue.all("select prospect_id, count(*) from send_queue group by 1 having count(distinct account_id) > 1") == []
    )


def test_an_account_outside_the_pool_may_be_named_and_stays_outside(conn: Connection) -> None:
    """Named for this send only: sends that name nobody are not given to it, and the send itself goes."""
    queue = Queue(conn)
    queue.account("ada")
    queue.account("bob")
    queue.campaign(accounts=["ada"])
    named = queue.enqueue(account="bob")
    for _ in range(10):
        queue.enqueue()
    assert [named] == queue.all(
        "select q.id from send_queue q join send_accounts a on a.id = q.account_id where a.name = 'bob'"
    )
    assert [named] == queue.took(account="bob")


def test_a_name_in_several_workspaces(conn: Connection) -> None:
    """Campaigns and accounts of one name in two workspaces are kept apart."""
    queue = Queue(conn)
    queue.workspace("other")
    for workspace in ("default", "other"):
        queue.account("ada", workspace=workspace)
        queue.campaign("spring", ["ada"], workspace=workspace)
    for workspace in ("default", "other"):
        send_id = queue.enqueue(workspace=workspace, account="ada")
        assert [(workspace, workspace, workspace)] == queue.all(
            "select w.name, wa.name, wc.name from send_queue q join send_workspaces w on w.id = q.workspace_id "
            "join send_accounts a on a.id = q.account_id join send_workspaces wa on wa.id = a.workspace_id "
            "join send_campaigns c on c.id = q.campaign_id join send_workspaces wc on wc.id = c.workspace_id "
            "where q.id = %s",
            send_id,
        )


WHOSE = "select w.name from send_queue q join send_workspaces w on w.id = q.workspace_id where q.id = %s"


@pytest.mark.parametrize(("first", "others"), [("default", ["a", "b"]), ("a", ["b", "c"])])
def test_a_campaign_of_that_name_elsewhere_changes_no_call(conn: Connection, first: str, others: list[str]) -> None:
    """A message without a workspace is for the first one's campaign, however many workspaces make one of that name."""
    queue = Queue(conn)
    for n, workspace in enumerate([first, *others]):
        if workspace != "default":
            queue.workspace(workspace)
        queue.account("ada", workspace=workspace)
        queue.campaign("spring", ["ada"], workspace=workspace)
        queue.do("update send_campaigns set created_at = %s where created_at > %s", AT + n * HOUR, AT + n * HOUR)
        assert queue.one(WHOSE, queue.enqueue()) == first
        assert queue.one(WHOSE, queue.enqueue(workspace=workspace)) == workspace


def test_a_campaign_of_the_default_workspace_goes_first_and_says_so(conn: Connection) -> None:
    """Whoever leaves the workspace out everywhere means `default`: who makes the second campaign is told so."""
    queue = Queue(conn)
    queue.workspace("other")
    notices: list[str] = []
    conn.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    for workspace in ("other", "default"):
        queue.account("ada", workspace=workspace)
        queue.campaign("spring", ["ada"], workspace=workspace)
    assert notices == [
        "Several workspaces have a campaign 'spring': a message without a workspace goes to that of 'default'."
    ]
    assert queue.one(WHOSE, queue.enqueue()) == "default"


def test_a_message_for_later_waits_until_then(conn: Connection) -> None:
    """scheduled_for is the first moment at which it may go."""
    queue = Queue(conn)
    world(queue)
    send_id = queue.enqueue(scheduled_for=AT + DAY)
    assert queue.took(AT + DAY - TICK) == []
    assert [send_id] == queue.took(AT + DAY)
    assert queue.row(send_id)["created_at"] == AT
    assert isinstance(queue.row(send_id)["scheduled_for"], datetime)
