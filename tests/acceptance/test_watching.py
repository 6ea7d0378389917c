"""Seen from outside: metrics, pings, logs, notifications, history, exports, all through the command."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
from datetime import datetime
from pathlib import Path

import pytest
from dead_man import listening
from prometheus_client.parser import text_string_to_metric_families

from acceptance.conftest import HOUR, MINUTE, MONDAY, Queue
from send_queue.sandbox import Fault

PROFILE = {"PYTHONPROFILEIMPORTTIME": "1"}


# --- metrics ----------------------------------------------------------------------------------------------


def figures(text: str) -> dict[str, float]:
    """Each sample by its name and labels as they are written."""
    return {
        f"{sample.name.removeprefix('send_queue_')} {' '.join(sample.labels.values())}".rstrip(): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_of_a_queue_at_work(queue: Queue) -> None:
    """What waits, what a lane has used, and the runs: a run that finds nothing to do was there too."""
    queue.ready(rows=3, daily_cap=2)
    for n in range(3):
        queue("run-once", now=MONDAY + n * MINUTE)
    found = figures(queue("metrics", now=MONDAY + HOUR).stdout)
    assert found["waiting_sends default linkedin_invite daily_cap"] == 1
    assert found["lane_used_sends default anna linkedin_invite"] == 2
    assert found["lane_cap_sends default anna linkedin_invite"] == 2
    assert found["runs_total run-once"] == 3
    assert found["last_run_sent_sends run-once"] == 0
    ended = datetime.fromtimestamp(found["last_run_timestamp_seconds run-once"], MONDAY.tzinfo)
    assert MONDAY + 2 * MINUTE <= ended < MONDAY + 3 * MINUTE
    assert 0 < found["last_run_duration_seconds run-once"] < 60


def test_a_rehearsal_is_no_run(queue: Queue) -> None:
    """--dry-run leaves nothing behind."""
    queue.ready()
    queue("run-once", "--dry-run")
    assert not any(name.startswith("runs_total") for name in figures(queue("metrics").stdout))


def test_runs_are_told_apart_by_their_filters(queue: Queue) -> None:
    """Each crontab line is watched by itself."""
    queue.ready()
    queue("run", "--account", "anna", "--channel", "log")
    assert figures(queue("metrics").stdout)["runs_total run account=anna channel=log"] == 1


def test_metrics_into_a_file(queue: Queue, tmp_path: Path) -> None:
    """The whole file takes the old one's place, for all to read; nothing else is left in the folder."""
    folder = tmp_path / "textfile"
    folder.mkdir()
    file = folder / "send_queue.prom"
    file.write_text("old")
    assert queue("metrics", "-o", file).stdout == ""
    assert file.read_text().startswith("# HELP send_queue_sends_total ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in folder.iterdir()] == ["send_queue.prom"]


def test_metrics_into_what_is_no_file(queue: Queue, tmp_path: Path) -> None:
    """A device or a pipe is written to, never replaced; a link stays one."""
    assert queue("metrics", "-o", "/dev/stdout").stdout.startswith("# HELP ")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    queue("metrics", "-o", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text().startswith("# HELP ")


def test_metrics_into_a_folder_that_is_not_there(queue: Queue, tmp_path: Path) -> None:
    """One sentence."""
    done = queue("metrics", "-o", tmp_path / "nowhere" / "x.prom", now=None, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("name a file in an existing folder with write permission.\n")
    assert len(done.stderr.splitlines()) == 1


# --- pings ------------------------------------------------------------------------------------------------


def test_a_run_is_pinged_when_it_begins_and_when_it_ends(queue: Queue) -> None:
    """Well or not, one id for both; a rehearsal is not pinged."""
    with listening() as switch:
        env = {"SEND_QUEUE_PING_URL": switch.url}
        queue("run-once", env=env)
        queue("run-once", "--dry-run", env=env)
        done = queue("run", env={**env, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}, check=False)
    assert done.returncode == 69
    words, ids = zip(*(re.split(r"\?rid=", path) for path in switch.heard), strict=True)
    assert words == ("/check/start", "/check", "/check/start", "/check/fail")
    assert ids[0] == ids[1] != ids[2] == ids[3]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "not a url"])
def test_a_ping_that_cannot_be_made_fails_no_run(queue: Queue, url: str) -> None:
    """It sends, exits with 0, and does not repeat an address that may be a secret."""
    queue.ready()
    done = queue("run-once", env={"SEND_QUEUE_PING_URL": url})
    assert len(queue.accepted()) == 1
    assert url not in done.stderr


# --- logs -------------------------------------------------------------------------------------------------


def steps(stderr: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


def test_each_step_of_each_send_is_a_line(queue: Queue) -> None:
    """Which send, of which campaign and lane, which try, what came of it and how long it took; no more than that."""
    first, second = queue.ready(rows=2, max_in_flight=2)
    queue.sandbox.order(Fault(op="invite", status=422, type="invalid_recipient", times=1))
    done = queue("run", "--concurrency", "1", "--log", "json")
    found = steps(done.stderr)
    named = {"campaign": "fall", "account": "anna", "channel": "linkedin_invite", "attempt": 1}
    ends = {first: {"event": "failed", "status": "failed", "code": "invalid_recipient", "http_status": 422},
            second: {"event": "sent", "status": "sent", "http_status": 200}}  # fmt: skip
    assert len(found) == 4
    for send_id, end in ends.items():
        claimed, ended = [step for step in found if step["send_id"] == send_id]
        assert claimed.items() >= {"event": "claimed", "status": "sending", **named}.items()
        assert ended.items() >= {**end, **named}.items()
        assert isinstance(ended["seconds"], float)
    assert "Hello" not in done.stderr
    assert "ACoAA" not in done.stderr


def test_without_a_word_nothing_is_logged(queue: Queue) -> None:
    """Cron mails what is printed."""
    queue.ready()
    assert steps(queue("run-once").stderr) == []


def test_doubts_and_what_has_expired_are_logged(queue: Queue) -> None:
    """What a dead run left, what the provider says of it, and what nobody wants any more."""
    queue.ready(rows=1)
    queue.enqueue(1, expires_at=MONDAY)
    queue.conn.execute("select send_claim('a dead run', at => %s)", (MONDAY - MINUTE,))
    done = queue("run-once", now=MONDAY + HOUR, env={"SEND_QUEUE_LOG": "json"})
    assert [(step["event"], step["status"]) for step in steps(done.stderr)] == [
        ("expired", "skipped"), ("left_behind", "uncertain"), ("looked_up", "uncertain")]  # fmt: skip


def test_a_log_for_people(queue: Queue) -> None:
    """One line each; a name that holds anything stays on it."""
    queue.put("account", "ann\x1b[31m a", provider="log")
    queue.put("campaign", "fall", accounts=["ann\x1b[31m a"])
    queue.enqueue(1, channel="log")
    lines = [line for line in queue("run-once", "--log", "text").stderr.splitlines() if " claimed " in line]
    assert len(lines) == 1
    assert "campaign=fall" in lines[0]
    assert "\x1b" not in lines[0]


def test_a_log_of_an_unknown_kind(queue: Queue) -> None:
    """Configuration is wrong: 78."""
    done = queue("run-once", now=None, env={"SEND_QUEUE_LOG": "yes"}, check=False)
    assert (done.returncode, done.stderr) == (
        78, "send-queue: SEND_QUEUE_LOG has an unknown value: set it to one of json, text, auto, none.\n"
    )  # fmt: skip


# --- notifications ----------------------------------------------------------------------------------------


def test_a_failure_reaches_slack(queue: Queue) -> None:
    """The run that meets it puts the message in, the next one sends it; its address is in no table."""
    url = f"{queue.sandbox.url}/services/T1/B1/a-secret-token"
    env = {"TEAM_WEBHOOK": url}
    queue("notify", "add", "--on", "failed,disconnected", "--slack", "--to", "TEAM_WEBHOOK", now=MONDAY - HOUR, env=env)
    queue.ready(rows=2, max_in_flight=2)
    queue.sandbox.order(Fault(op="invite", status=422, type="invalid_recipient"))
    queue("run", env=env)
    queue("run", now=MONDAY + MINUTE, env=env)
    [entry] = queue.sandbox.accepted()
    assert entry["account_id"] == "T1/B1"
    assert entry["text"].startswith("2 sends failed for good in the workspace default (2 × invalid_recipient;")
    assert queue.run_once(MONDAY + HOUR, env=env)["processed"] == 0
    for table in ("send_queue", "send_accounts", "send_notifications"):
        assert "a-secret-token" not in str(queue.conn.execute(f"table {table}".encode()).fetchall())


def test_notify_lists_and_removes(queue: Queue) -> None:
    """One row for each event."""
    made = queue.json(
        "notify", "add", "--on", "finished,uncertain", "--to", "https://example.com/hook", "--every", "1h"
    )
    assert made == queue.json("notify", "list")
    assert [(row["event"], row["to"], row["every"]) for row in made] == [
        (event, "https://example.com/hook", "01:00:00") for event in ("finished", "uncertain")
    ]
    queue("notify", "remove", *(row["id"] for row in made))
    assert queue("notify", "list").stdout == "There are no notifications: see `send-queue notify add --help`.\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--on", "failed", "--slack", "--to", "https://hooks.slack.com/services/T/B/secret"], "is a secret"),
        (["--on", "failed", "--slack", "--to", "my hook"], "is not the name of an environment variable"),
        (["--on", "failed", "--to", "hooks.example.com"], "is not a webhook's URL"),
        (["--on", "failed", "--to", "https://ada:secret@hooks.example.com"], "without a password"),
        (["--on", "failed", "--to", "http://hooks.example.com/x"], "the URL must begin with https://"),
        (["--on", "failed", "--to", "https://10.0.0.1/x"], "10.0.0.1 is an address of a private network"),
        (["--on", "failed", "--to", "https://[::1]:8443/x"], "::1 is an address of a private network"),
        (["--on", "broken", "--to", "https://example.com"], "broken is not an event: use failed, uncertain"),
        (["--on", "failed", "--to", "https://example.com", "--every", "5s"], "--every is out of range"),
        (["--on", "failed", "--to", "https://example.com", "--workspace", "x"], "There is no workspace 'x'"),
    ],
)
def test_what_notify_refuses(queue: Queue, given: list[str], said: str) -> None:
    """In one sentence, which does not repeat a secret."""
    done = queue("notify", "add", *given, now=None, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "secret" not in done.stderr.replace("is a secret", "")
    assert len(done.stderr.splitlines()) == 1


def test_a_host_that_is_allowed_by_name_may_be_told(queue: Queue) -> None:
    """As the provider of webhooks has it: then also in a private network, and without TLS."""
    env = {"WEBHOOK_ALLOW_HOSTS": "hooks.internal"}
    [made] = queue.json("notify", "add", "--on", "failed", "--to", "http://hooks.internal/x", env=env)
    assert made["to"] == "http://hooks.internal/x"


# --- history and exports ----------------------------------------------------------------------------------


def test_the_history_of_a_send(queue: Queue) -> None:
    """For people, for programs, and for spreadsheets."""
    [send_id] = queue.ready()
    queue("run-once")
    events = ["enqueued", "claimed", "sent"]
    assert [step["event"] for step in queue.json("history", send_id)] == events
    lines = queue("history", send_id).stdout.splitlines()
    assert [re.split(r" UTC +", line)[1].split()[0] for line in lines] == events
    rows = list(csv.DictReader(io.StringIO(queue("history", send_id, "--csv").stdout)))
    assert [(row["event"], row["attempt"], row["http_status"]) for row in rows] == [
        ("enqueued", "", ""), ("claimed", "1", ""), ("sent", "1", "200")]  # fmt: skip


def test_a_list_for_a_spreadsheet(queue: Queue) -> None:
    """All of them unless told otherwise, with a header; and none that a spreadsheet would work out."""
    queue.ready(rows=60)
    queue.enqueue(1, recipient="=HYPERLINK(evil)", channel="log")
    text = queue("list", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 61
    assert {"id", "status", "recipient", "error_message"} <= rows[0].keys()
    assert [row["recipient"] for row in rows if "HYPERLINK" in row["recipient"]] == ["'=HYPERLINK(evil)"]
    assert len(queue("list", "--csv", "--limit", "5").stdout.splitlines()) == 6
    assert queue("list", "--csv", "--status", "failed").stdout.splitlines() == [text.splitlines()[0]]


def test_a_tick_that_is_not_watched_loads_nothing_for_it(queue: Queue) -> None:
    """Neither HTTP nor the log is paid for by those who do not ask for them."""
    done = queue("run-once", env=PROFILE)
    assert not re.search(r"\|\s*(httpx|send_queue\.metrics|send_queue\.providers\.ping)$", done.stderr, re.MULTILINE)
