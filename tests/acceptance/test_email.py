"""Mails, from the command that sets them up to the server that takes them: by SendGrid, and by SMTP under TLS."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli, Connection
from cryptography.fernet import Fernet
from mail_server import Real

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, Popen, Queue
from send_queue.rules import unsubscribe
from send_queue.sandbox import Fault, Sandbox

LEASE_OVER = MONDAY + timedelta(minutes=11)
PASSWORD = "sesame-3417"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """SendGrid, in the time that the runs believe it is: its logs are asked for by time."""
    with Sandbox(tmp_path / "journal.jsonl", sync=False, clock=lambda: MONDAY) as sandbox:
        yield sandbox


@pytest.fixture
def mailer(tmp_path: Path) -> Iterator[Real]:
    """A mail server elsewhere, with TLS and a login."""
    with Real(tmp_path, user="carla@example.org", password=PASSWORD) as mailer:
        yield mailer


@pytest.fixture
def env(sandbox: Sandbox, mailer: Real) -> dict[str, str]:
    return {
        "SENDGRID_BASE_URL": sandbox.url,
        "SENDGRID_API_KEY": "SG.any",
        "SMTP_URL": mailer.url,
        "SMTP_PASSWORD": PASSWORD,
        "SSL_CERT_FILE": str(mailer.certificate),
        unsubscribe.KEY: Fernet.generate_key().decode(),
        unsubscribe.URL: "https://u.example.org/stop",
    }


@pytest.fixture
def queue(conn: Connection, cli: Cli, sandbox: Sandbox, env: dict[str, str]) -> Queue:
    """An account at each provider, and a campaign of each; the one of SMTP writes from another address."""
    queue = Queue(conn, cli, sandbox, env)
    for account, provider in (("grid", "sendgrid"), ("post", "smtp")):
        queue.account(account, "email", provider=provider, max_in_flight=10)
        queue.put("account", account, adding=False, settings={"from": "carla@example.org"})
        queue.campaign(f"by-{account}", account)
    queue.put("campaign", "by-post", adding=False, settings={"post": {"from": "team@example.org"}})
    return queue


def mails(queue: Queue, by: str, rows: int = 1, **more: Any) -> list[str]:
    payload = {"html": "<p>Hello</p>", "headers": {"X-Campaign": "spring"}}
    values = {"recipient": "ana@example.com", "subject": "Good morning", "payload": payload, **more}
    return queue.enqueue(rows, campaign=f"by-{by}", channel="email", **values)


def test_a_mail_by_sendgrid(queue: Queue, env: dict[str, str]) -> None:
    """Enqueued, sent, in SendGrid's journal, and told by show: with its HTML, its header, its link, and no key told."""
    queue("account", "set", "grid", "--set", "from=carla@example.org", "--set", "from_name=Carla")
    stored = queue.json(
        "enqueue", "--campaign", "by-grid", "--channel", "email", "--recipient", "ana@example.com", "--subject",
        "Good morning", "--message", "Hello", "--payload",
        '{"html": "<p>Hello</p>", "headers": {"X-Campaign": "spring"}}', now=MONDAY - HOUR,
    )  # fmt: skip
    send_id = stored["id"]
    done = queue("run-once", "--json")
    [entry] = queue.sandbox.accepted()
    assert (entry["provider"], entry["recipient"], entry["text"]) == ("sendgrid", "ana@example.com", "Hello")
    assert (entry["subject"], entry["html"], entry["from"]) == (
        "Good morning", "<p>Hello</p>", {"email": "carla@example.org", "name": "Carla"},
    )  # fmt: skip
    assert entry["custom_args"] == {"send_id": send_id, "attempt": "1"}
    assert entry["mail_headers"]["X-Campaign"] == "spring"
    link = entry["mail_headers"]["List-Unsubscribe"].removesuffix(">").rpartition("/")[2]
    assert unsubscribe.open(env, link)[1:] == ("email", "ana@example.com")
    row = queue.row(send_id)
    assert (row["status"], row["provider_message_id"]) == ("sent", entry["id"].partition(".")[0])
    assert "SG.any" not in done.stdout + done.stderr
    assert "sent" in queue("status").stdout


def test_mails_of_one_content_go_together(queue: Queue) -> None:
    """A run gives SendGrid what is alike in one call, and every row is sent once, under a name of its own."""
    recipients = [f"p{n}@example.com" for n in range(8)]
    ids = [send_id for recipient in recipients for send_id in mails(queue, "grid", recipient=recipient)]
    queue.conn.execute("update send_queue set message = 'Hello all'")
    queue("run")
    entries = queue.sandbox.accepted()
    assert sorted(entry["recipient"] for entry in entries) == recipients
    assert len({entry["id"].partition(".")[0] for entry in entries}) < len(recipients)
    rows = [queue.row(send_id) for send_id in ids]
    assert {row["status"] for row in rows} == {"sent"}
    assert len({row["provider_message_id"] for row in rows}) == len(recipients)


def test_an_answer_of_sendgrids_that_was_lost_is_found_in_its_logs(queue: Queue) -> None:
    """In doubt, looked up by the same run, and settled: nobody gets the mail twice."""
    queue.sandbox.order(Fault(op="mail_send", drop="after", times=1))
    [send_id] = mails(queue, "grid")
    queue("run")
    assert queue.attempts(send_id) == [("sent", "connection_lost")]
    [entry] = queue.sandbox.accepted()
    assert queue.row(send_id)["provider_message_id"] == entry["id"]


def test_what_sendgrids_logs_do_not_have_is_sent_again_when_it_is_sure(queue: Queue) -> None:
    """A request that was lost on the way: not there, twice, half an hour apart, and then the mail goes out."""
    queue.sandbox.order(Fault(op="mail_send", drop="before", times=1))
    [send_id] = mails(queue, "grid")
    for wait in (0 * MINUTE, 31 * MINUTE, 40 * MINUTE):
        queue("run", now=MONDAY + wait)
        assert queue.accepted() == []
    queue("run", now=MONDAY + 62 * MINUTE)
    queue("run", now=MONDAY + 63 * MINUTE)
    assert queue.accepted() == ["ana@example.com"]
    assert queue.row(send_id)["status"] == "sent"


def test_without_its_logs_a_mail_in_doubt_is_for_a_person(queue: Queue) -> None:
    """An operator without the add-on: it stays uncertain, is never sent again, and a person's word settles it."""
    queue.sandbox.order(Fault(op="mail_send", drop="after", times=1), Fault(op="email_logs", status=403))
    [send_id] = mails(queue, "grid")
    for wait in (0 * HOUR, HOUR, DAY, 3 * DAY):
        queue("run", now=MONDAY + wait)
    assert queue.row(send_id)["status"] == "uncertain"
    assert queue.accepted() == ["ana@example.com"]
    queue("settle", send_id, "--sent")
    assert queue.row(send_id)["status"] == "sent"


def test_mails_by_smtp_under_tls(queue: Queue, mailer: Real) -> None:
    """Enqueued, sent over one connection with a login, from the campaign's address; Message-ID and link are there, and
    neither password nor text is told."""
    ids = mails(queue, "post", 3)
    queue.conn.execute("update send_queue set message = message || ', a text of ours'")
    done = queue("run", "--concurrency", "1", "--json")
    texts = [taken.parsed.get_body(["plain"]) for taken in mailer.mails]
    assert [text.get_content().strip() for text in texts if text] == [f"Hello {n}, a text of ours" for n in range(3)]
    assert len(mailer.sessions) == 1
    taken = mailer.mails[0]
    assert taken.sender == "team@example.org"
    assert taken.parsed["Message-ID"] == f"<{ids[0]}@example.org>"
    assert taken.parsed["X-Campaign"] == "spring"
    assert taken.parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in taken.parsed.iter_parts()] == ["text/plain", "text/html"]
    assert {queue.row(send_id)["status"] for send_id in ids} == {"sent"}
    assert queue.row(ids[0])["provider_message_id"] == taken.parsed["Message-ID"]
    assert PASSWORD not in done.stdout + done.stderr
    assert "a text of ours" not in done.stdout + done.stderr


def test_a_reply_of_a_mail_server_that_was_lost_is_never_sent_again(queue: Queue, mailer: Real) -> None:
    """After the final dot only the reply tells, and a mail server keeps no list: a person settles it."""
    mailer.lose = 1
    [send_id] = mails(queue, "post")
    for wait in (0 * HOUR, HOUR, DAY):
        queue("run", now=MONDAY + wait)
    assert [taken.to for taken in mailer.mails] == ["ana@example.com"]
    assert queue.row(send_id)["status"] == "uncertain"
    assert queue.attempts(send_id) == [("uncertain", "reply_lost")]
    queue("settle", send_id, "--sent")
    assert queue.row(send_id)["status"] == "sent"


def test_a_run_killed_at_the_dot_is_never_repeated(queue: Queue, mailer: Real, start: Popen) -> None:
    """The server has the whole mail, and the run dies before it hears so: in doubt when the lease is over."""
    [send_id] = mails(queue, "post")
    running: list[subprocess.Popen[str]] = []
    mailer.on_mail = lambda: running[0].kill()
    with mailer.held:
        running.append(start("run", now=MONDAY))
    running[0].wait(30)
    mailer.on_mail = None
    assert queue.row(send_id)["status"] == "sending"
    for moment in (LEASE_OVER, LEASE_OVER + DAY):
        queue("run", now=moment)
    assert len(mailer.mails) == 1
    assert queue.row(send_id)["status"] == "uncertain"


def test_a_wrong_password_holds_the_account_until_it_is_mended(queue: Queue, mailer: Real) -> None:
    """Nothing is lost and no attempt is spent: stderr names the variable, and after `resume` the mail goes."""
    [send_id] = mails(queue, "post")
    refused = queue("run", env={"SMTP_PASSWORD": "wrong-3417"}, check=False)
    assert (refused.returncode, "SMTP_PASSWORD" in refused.stderr) == (78, True)
    assert (queue.row(send_id)["status"], queue.row(send_id)["attempts"]) == ("pending", 0)
    explained = queue.explain(send_id)
    assert explained["verdict"] == "waiting"
    assert "provider_hold" in [hold["rule"] for hold in explained["holds"]]
    queue("resume", "account", "post")
    queue("run", now=MONDAY + MINUTE)
    assert [taken.to for taken in mailer.mails] == ["ana@example.com"]


def test_an_account_without_a_from_address_says_which_command_to_use(queue: Queue) -> None:
    """The lane waits, no mail fails, and what is printed is what to type."""
    queue.put("account", "grid", adding=False, settings={"from": None})
    [send_id] = mails(queue, "grid")
    queue("run")
    [[told]] = queue.conn.execute("select error_message from send_attempts").fetchall()
    assert "`send-queue account set grid --set from=you@example.com`" in told
    queue("campaign", "set", "by-grid", "--set", "grid:from=carla@example.org")
    queue("run", now=MONDAY + 16 * MINUTE)
    assert queue.row(send_id)["status"] == "sent"
