"""enqueue: what is refused, what is stored, and that it belongs to the caller's transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from conftest import Connection

import send_queue
from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, Queue
from send_queue.model import UserError

GOOD = {"campaign": "fall", "channel": "linkedin_invite", "recipient": "ACoAA-x", "message": "Hello"}

BY_LOG = {"account": "by-log"}


def args(**changed: str) -> list[str]:
    return [word for name, value in (GOOD | changed).items() for word in (f"--{name.replace('_', '-')}", value)]


def test_a_message_is_stored_as_it_was_given(queue: Queue) -> None:
    """What enqueue is told is in the row, and its id is printed."""
    queue.ready(rows=0)
    done = queue.json(
        "enqueue", *args(message="Grüß dich, Zoë 👋\nzweite Zeile", priority="7", at="2026-11-24T09:00:00+01:00",
                         expires="2026-12-01T00:00:00Z", dedupe_key="k1", payload='{"user_email": "a@b.example"}')
    )  # fmt: skip
    assert list(done) == ["id", "created"]
    assert done["created"] is True
    row = queue.row(done["id"])
    assert row["message"] == "Grüß dich, Zoë 👋\nzweite Zeile"
    assert (row["recipient"], row["priority"], row["dedupe_key"]) == ("ACoAA-x", 7, "k1")
    assert datetime.fromisoformat(row["scheduled_for"]) == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert datetime.fromisoformat(row["expires_at"]) == datetime(2026, 12, 1, tzinfo=UTC)
    assert row["payload"] == {"user_email": "a@b.example"}
    assert row["status"] == "pending"
    queue("run-once", now=MONDAY + DAY)
    assert queue.sandbox.accepted()[0]["text"] == "Grüß dich, Zoë 👋\nzweite Zeile"


def test_without_a_time_it_is_due_at_once(queue: Queue) -> None:
    """Left out, the time is now, and one line says the id."""
    queue.ready(rows=0)
    said = queue("enqueue", *args()).stdout
    assert said.endswith(" enqueued.\n")
    assert queue.run_once(MONDAY + MINUTE)["send_id"] == said.split()[0]


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        ({"campaign": "fal"}, "There is no campaign 'fal'"),
        ({"account": "ana"}, "There is no account 'ana'"),
        ({"channel": "pigeon"}, "There is no channel 'pigeon'"),
        ({"recipient": " "}, "The recipient is missing"),
        ({"message": ""}, "The message is missing"),
        ({"message": " \n\t"}, "The message is missing"),
        ({"message": "", "channel": "log"}, "The message is missing"),
        ({"recipient": "ada", "subject": "Hi", **BY_LOG, "channel": "email"}, "'ada' is not a mail address: write"),
        ({"recipient": "ada@example.org", **BY_LOG, "channel": "email"}, "the mail has no subject: give it one."),
        ({"recipient": "+14155552671", "message": "x" * 1601, **BY_LOG, "channel": "sms"}, "the text has 1,601 charac"),
        ({"message": "x" * 301}, "The invitation has 301 characters: LinkedIn takes 300 at most"),
        ({"expires": "2026-11-20T00:00:00Z"}, "It would expire"),
        ({"workspace": "acme"}, "There is no workspace 'acme'"),
    ],
)  # fmt: skip
def test_what_is_refused(queue: Queue, changed: dict[str, str], hint: str) -> None:
    """Each refusal is one sentence that says what to do, status 2, and stores nothing."""
    queue.ready(rows=0)
    queue.account("by-log", channel="log", provider="log")
    done = queue("enqueue", *args(**changed), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert queue.statuses() == {}


def test_300_characters_are_not_301(queue: Queue) -> None:
    """LinkedIn counts characters, not bytes: 300 umlauts fit."""
    queue.ready(rows=0)
    queue("enqueue", *args(message="ü" * 300))
    assert queue.run_once(MONDAY + MINUTE)["sent"] == 1


def test_an_invitation_without_a_note_says_so(queue: Queue) -> None:
    """An empty note is meant only where the payload says it."""
    queue.ready(rows=0)
    queue("enqueue", *args(message="", payload='{"note": false}'))
    assert queue.run_once(MONDAY + MINUTE)["sent"] == 1
    assert queue.sandbox.accepted()[0]["text"] == ""


def test_the_same_key_is_stored_once(queue: Queue) -> None:
    """A dedupe key that is there returns the row that has it; one with other content is warned of too."""
    queue.ready(rows=0)
    first = queue.json("enqueue", *args(dedupe_key="k"))
    again = queue("enqueue", *args(dedupe_key="k"), "--json", now=None)
    assert (queue.statuses(), again.stderr) == ({"pending": 1}, "")
    other = queue("enqueue", *args(dedupe_key="k", message="Something else"), "--json", now=None)
    assert '"created": false' in other.stdout
    assert first["id"] in other.stdout
    assert "is there already, with other content" in other.stderr
    assert queue.row(first["id"])["message"] == "Hello"
    assert "is there already: nothing was stored" in queue("enqueue", *args(dedupe_key="k")).stdout


def test_a_second_message_beside_an_imported_one_is_said(queue: Queue, tmp_path: Path) -> None:
    """Without a key each call is a message: where an import has put one in for the same person, stderr says so."""
    queue.ready(rows=0)
    (tmp_path / "people.csv").write_text("recipient,message\nACoAA-x,Hello\n")
    queue("import", tmp_path / "people.csv", "--campaign", "fall", "--channel", "linkedin_invite")
    said = queue("enqueue", *args(), now=None)
    assert "'ACoAA-x' has a linkedin_invite of the campaign 'fall' already (send " in said.stderr
    assert queue.statuses() == {"pending": 2}
    assert queue("enqueue", *args(dedupe_key="k"), now=None).stderr == ""
    assert queue("enqueue", *args(recipient="ACoAA-y"), now=None).stderr == ""


def test_a_channel_that_nobody_serves_is_refused(queue: Queue) -> None:
    """By SQL, which knows what providers serve, whether the account is named or not."""
    queue.ready(rows=0)
    queue("account", "add", "mail", "--provider", "log")
    mail = args(channel="email", recipient="ada@example.org", subject="Hi")
    refused = queue("enqueue", *mail, check=False)
    assert (refused.returncode, queue.statuses()) == (2, {})
    assert "No account in the pool of the campaign 'fall' sends email: add one" in refused.stderr
    refused = queue("enqueue", *mail, "--account", "anna", check=False)
    assert (refused.returncode, queue.statuses()) == (2, {})
    assert "The account anna's provider unipile does not send email, only" in refused.stderr
    assert queue.json("enqueue", *mail, "--account", "mail")["created"]


def test_the_key_is_unique_in_its_workspace_and_not_beyond(queue: Queue) -> None:
    """Two tenants may use the same key."""
    queue.ready(rows=0)
    queue("workspace", "add", "acme")
    queue("account", "add", "ben", "--provider", "log", "--workspace", "acme")
    queue("campaign", "add", "theirs", "--account", "ben", "--workspace", "acme")
    assert queue.json("enqueue", *args(dedupe_key="k"))["created"]
    assert queue.json("enqueue", *args(dedupe_key="k", campaign="theirs", channel="log"))["created"]


def test_a_campaign_without_accounts_says_what_to_do(queue: Queue) -> None:
    """Nobody could send it."""
    queue("campaign", "add", "empty")
    done = queue("enqueue", *args(campaign="empty"), check=False)
    assert done.returncode == 2
    assert "has no accounts: add one with `send-queue campaign set empty --account NAME`" in done.stderr


def test_a_prospect_stays_with_the_account_that_first_wrote(queue: Queue) -> None:
    """The pool deals out people, not messages: whoever knows Anna goes on hearing from Anna."""
    queue.account()
    queue.account("ben")
    queue.campaign("fall", "anna", "ben")
    for n in range(4):
        queue.enqueue(recipient=f"p{n}")
    queue.campaign("winter", "anna", "ben")
    for n in range(4):
        queue.enqueue(recipient=f"p{n}", campaign="winter", channel="linkedin_message")
    pairs = queue.conn.execute(
        "select recipient, count(distinct account_id), count(*) from send_queue group by recipient order by recipient"
    ).fetchall()
    assert pairs == [(f"p{n}", 1, 2) for n in range(4)]
    [[accounts]] = queue.conn.execute("select count(distinct account_id) from send_queue").fetchall()
    assert accounts == 2


# --- from programs ----------------------------------------------------------------------------------------


def test_enqueue_commits_with_the_callers_data(queue: Queue, database: str) -> None:
    """`send_queue.enqueue` writes in the caller's own transaction: rolled back, it is gone; committed, it is there."""
    queue.ready(rows=0)
    with psycopg.connect(database) as conn:
        conn.execute("create table orders (id int)")
        conn.commit()
        for keep in (False, True):
            conn.execute("insert into orders values (1)")
            send_id, created = send_queue.enqueue(
                conn, "fall", "linkedin_invite", "ACoAA-x", "Hello", scheduled_for=MONDAY, dedupe_key="k"
            )
            assert created
            assert queue.statuses() == {}, "it is seen before the commit"
            if keep:
                conn.commit()
            else:
                conn.rollback()
        assert conn.execute("select count(*) from orders").fetchone() == (1,)
    assert queue.statuses() == {"pending": 1}
    assert queue.run_once()["send_id"] == str(send_id)


def test_a_moment_without_a_zone_is_refused_from_programs_too(conn: Connection) -> None:
    """A naive datetime could be any of 24 moments."""
    with pytest.raises(UserError, match="scheduled_for has no time zone"):
        send_queue.enqueue(
            conn, "fall", "log", "r", "m", scheduled_for=datetime(2026, 11, 24),  # noqa: DTZ001 — the point of the test
        )  # fmt: skip


def test_any_language_may_call_the_function(queue: Queue) -> None:
    """Only four arguments are required, by name."""
    queue.ready(rows=0)
    query = (
        "select created from send_enqueue(campaign => 'fall', channel => 'linkedin_invite', recipient => 'x',"
        " message => 'm')"
    )
    assert queue.conn.execute(query.encode()).fetchall() == [(True,)]


def test_a_row_written_by_hand_goes(queue: Queue) -> None:
    """An INSERT that names its campaign is enough: SQL is the way in, too."""
    queue.ready(rows=0)
    queue.conn.execute(
        "insert into send_queue (campaign_id, channel, recipient, message, scheduled_for) "
        "select id, 'linkedin_invite', 'by-hand', 'm', %s from send_campaigns",
        (MONDAY - HOUR,),
    )
    assert queue.run_once()["sent_to"] == "by-hand"


def test_a_suppressed_recipient_is_said_to_be_skipped(queue: Queue) -> None:
    """The sentence says that nothing goes out, and why; exit status and JSON stay."""
    queue.ready(rows=0)
    queue("suppress", "add", "ACoAAB1")
    message = (
        "enqueue",
        "--campaign",
        "fall",
        "--channel",
        "linkedin_invite",
        "--recipient",
        "ACoAAB1",
        "--message",
        "m",
    )
    done = queue(*message, "--dedupe-key", "k")
    assert done.stdout.endswith(" stored as skipped (suppressed): nothing goes out.\n")
    there = queue(*message, "--dedupe-key", "k").stdout
    assert there.endswith(" is there already, skipped (suppressed): nothing was stored.\n")
    assert queue.json(*message, "--dedupe-key", "k2").keys() == {"id", "created"}
