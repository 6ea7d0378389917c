"""A secret that its provider refuses: a mistake of the configuration, said where a person hears it, and mended once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mail_server import Real

from acceptance.conftest import HOUR, MINUTE, MONDAY, Queue
from send_queue.sandbox import Fault

SID = "AC0123456789abcdef0123456789abcdef"
AGAIN = timedelta(minutes=15)

Refused = tuple[str, str, str, str, Fault, Mapping[str, Any]]
"""A provider, its channel, a recipient, the variable of its secret, the refusal, the settings of its accounts."""

REFUSED: list[Refused] = [
    ("unipile", "linkedin_invite", "ACoAA-0", "UNIPILE_API_KEY",
     Fault(op="invite", status=401, type="missing_credentials"), {}),
    ("unipile", "linkedin_invite", "ACoAA-0", "UNIPILE_API_KEY",
     Fault(op="invite", status=403, type="insufficient_permissions"), {}),
    ("twilio", "sms", "+14155552671", "TWILIO_AUTH_TOKEN",
     Fault(op="sms", status=401, body=json.dumps({"code": 20003, "message": "Authenticate", "status": 401})),
     {"from": "+15005550006"}),
    ("sendgrid", "email", "ana@example.com", "SENDGRID_API_KEY",
     Fault(op="mail_send", status=401, body=json.dumps({"errors": [{"message": "The provided authorization grant is "
                                                                               "invalid, expired, or revoked"}]})),
     {"from": "carla@example.org"}),
    ("sendgrid", "email", "ana@example.com", "SENDGRID_API_KEY",
     Fault(op="mail_send", status=403, body=json.dumps({"errors": [{"message": "access forbidden"}]})),
     {"from": "carla@example.org"}),
]  # fmt: skip


def with_provider(queue: Queue) -> None:
    queue.env |= {
        "TWILIO_BASE_URL": queue.sandbox.url, "TWILIO_AUTH_TOKEN": "any", "SENDGRID_BASE_URL": queue.sandbox.url,
        "SENDGRID_API_KEY": "SG.any", "TEAM_WEBHOOK": f"{queue.sandbox.url}/services/T1/B1/a-secret-token",
    }  # fmt: skip


def accounts(queue: Queue, provider: str, channel: str, settings: Mapping[str, Any]) -> None:
    """Two accounts that share the provider's secret, one campaign each, and one of another provider."""
    for name in ("anna", "bert"):
        queue.account(name, channel, provider=provider)
        own = {"provider_account_id": SID} if provider == "twilio" and name == "anna" else {}
        queue.put("account", name, adding=False, settings=dict(settings), **own)
        queue.campaign(f"of-{name}", name, quiet_from="00:00", quiet_until="00:00")
    queue.account("other", "log", provider="log")
    queue.campaign("of-other", "other")


def rows(queue: Queue, channel: str, recipient: str) -> list[str]:
    return [
        *queue.enqueue(1, campaign="of-anna", channel=channel, recipient=recipient, subject="Hello"),
        *queue.enqueue(1, campaign="of-bert", channel=channel, recipient=recipient, subject="Hello"),
    ]


@pytest.mark.parametrize("refused", REFUSED, ids=[f"{r[0]}-{r[4].status}" for r in REFUSED])
def test_a_refused_key_is_told_and_a_working_one_is_enough(queue: Queue, refused: Refused) -> None:
    """The others go; stderr names the variable once, and 78; the notification goes once; no attempt is spent. A working
    key then sends all, without a word to the queue, and nothing is said any more."""
    provider, channel, recipient, variable, fault, settings = refused
    with_provider(queue)
    queue("notify", "add", "--on", "disconnected", "--slack", "--to", "TEAM_WEBHOOK", now=MONDAY - HOUR)
    accounts(queue, provider, channel, settings)
    if provider == "twilio":
        queue.put("account", "bert", adding=False, provider_account_id=SID + "0")
    ids = rows(queue, channel, recipient)
    [other] = queue.enqueue(1, campaign="of-other", channel="log")
    shown = 2 if provider == "twilio" else 1  # what was refused is not shown again: it would be taken
    queue.sandbox.order(replace(fault, times=shown))

    done = queue("run", "--json", "--concurrency", "1", check=False)
    said = json.loads(done.stdout)
    assert (done.returncode, said["success"], said["sent"], said["held"]) == (78, False, 1, 2)
    assert done.stderr.count(f"refuses the secret in {variable} (account ") == 1
    assert queue.row(other)["status"] == "sent"
    assert [(queue.row(i)["status"], queue.row(i)["attempts"]) for i in ids] == [("pending", 0)] * 2

    found = [f for f in queue.json("doctor", check=False)["findings"] if f["check"] == "secret_refused"]
    assert [variable in f["what"] and f["mend"].startswith("send-queue resume account ") for f in found] == [True]

    for n in (1, 2, 3):  # the second sends the notification
        later = queue("run", now=MONDAY + n * MINUTE, check=False)
        assert later.returncode == 78
        assert f"refuses the secret in {variable}" in later.stderr
    [told] = queue.conn.execute("select message, status from send_queue where channel = 'webhook'").fetchall()
    assert told[1] == "sent"
    assert f"the secret in {variable})" in told[0]

    well = queue("run", "--json", now=MONDAY + AGAIN + MINUTE)
    assert (json.loads(well.stdout)["sent"], "refuses" in well.stderr) == (2, False)
    assert queue.conn.execute("select from send_accounts where secret_refused is not null").fetchall() == []


@pytest.mark.parametrize("name", ["anna", "bert"])
def test_one_resume_is_enough_for_all_that_share_the_secret(queue: Queue, name: str) -> None:
    """At once, whichever of the accounts is named; a hold of another kind stays."""
    with_provider(queue)
    accounts(queue, "unipile", "linkedin_invite", {})
    rows(queue, "linkedin_invite", "ACoAA-0")
    queue.sandbox.order(REFUSED[0][4])
    queue("run", check=False)
    queue.lane("bert", "linkedin_message")
    queue.conn.execute(
        "update send_lanes set next_at = %s, next_at_reason = 'provider_hold', next_at_detail = "
        "'limit_exceeded' where channel = 'linkedin_message'",
        (MONDAY + HOUR,),
    )
    queue.sandbox.clear_faults()
    assert queue("run", now=MONDAY + MINUTE, check=False).returncode == 78
    said = queue("resume", "account", name, now=MONDAY + 2 * MINUTE).stdout
    assert said == f"The account {name} was not paused: its secret was refused, and is retried now.\n"
    assert queue.json("run", now=MONDAY + 2 * MINUTE)["sent"] == 2
    assert queue.conn.execute("select count(*) from send_lanes where next_at_reason = 'provider_hold'").fetchall() == [
        (1,)
    ]


def test_one_account_that_sends_frees_the_others(queue: Queue) -> None:
    """Their holds end with the first send that goes out, in the same run, which then has nothing to complain of."""
    with_provider(queue)
    accounts(queue, "unipile", "linkedin_invite", {})
    rows(queue, "linkedin_invite", "ACoAA-0")
    queue.sandbox.order(REFUSED[0][4])
    queue("run", check=False)
    queue.sandbox.clear_faults()
    queue("resume", "lane", "anna", "linkedin_invite")
    done = queue("run", "--json", now=MONDAY + MINUTE)
    assert (json.loads(done.stdout)["sent"], done.stderr.count("refuses")) == (2, 0)


def test_a_password_that_a_mail_server_refuses(queue: Queue, tmp_path: Path) -> None:
    """SMTP 535 names SMTP_PASSWORD, and the account stays active."""
    with Real(tmp_path, user="carla", password="right-3417") as server:
        queue.env |= {"SMTP_URL": server.url, "SMTP_PASSWORD": "wrong-3417", "SSL_CERT_FILE": str(server.certificate)}
        accounts(queue, "smtp", "email", {"from": "carla@example.org"})
        rows(queue, "email", "ana@example.com")
        done = queue("run", "--concurrency", "1", check=False)
        assert done.returncode == 78
        assert (
            "The provider smtp refuses the secret in SMTP_PASSWORD (account anna, login_refused): put " in done.stderr
        )
        queue.env["SMTP_PASSWORD"] = "right-3417"
        assert queue.json("run", now=MONDAY + AGAIN + MINUTE)["sent"] == 2


def test_an_address_that_slack_refuses(queue: Queue) -> None:
    """The secret is the webhook's address, in the variable that the account names."""
    with_provider(queue)
    queue.account("team", "webhook", provider="slack")
    queue.put("account", "team", adding=False, secret_env="TEAM_WEBHOOK")
    queue.campaign("of-team", "team")
    queue.enqueue(1, campaign="of-team", channel="webhook", recipient="TEAM_WEBHOOK")
    queue.sandbox.order(
        Fault(path="/services/", status=403, body="invalid_token", headers={"content-type": "text/plain"})
    )
    done = queue("run", check=False)
    assert done.returncode == 78
    assert "The provider slack refuses the secret in TEAM_WEBHOOK (account team, invalid_token): put a" in done.stderr
    queue.sandbox.clear_faults()
    assert queue.json("run", now=MONDAY + AGAIN + MINUTE)["sent"] == 1


def test_another_variable_is_tried_at_once(queue: Queue) -> None:
    """`account set --secret-env` ends the hold: the next run shows the other secret."""
    with_provider(queue)
    accounts(queue, "unipile", "linkedin_invite", {})
    queue.enqueue(1, campaign="of-anna", recipient="ACoAA-0")
    queue.sandbox.order(REFUSED[0][4])
    queue("run", check=False)
    queue.sandbox.clear_faults()
    queue("account", "set", "anna", "--secret-env", "ANNAS_KEY")
    assert queue.json("run", now=MONDAY + MINUTE, env={"ANNAS_KEY": "another"})["sent"] == 1
