"""`doctor` and the environment: what each provider lacks, and --probe, which asks each and sends nothing."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from datetime import timedelta
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from conftest import Cli, Connection
from mail_server import Real, Scripted
from psycopg.types.json import Jsonb

from acceptance.conftest import MONDAY
from send_queue import store
from send_queue.insight import environment
from send_queue.model import Claimed
from send_queue.rules.vault import VARIABLE, Vault
from send_queue.sandbox import Fault, Sandbox
from send_queue.sandbox.post_base import number_of

WHSEC = "whsec_" + b64encode(b"s" * 32).decode()


def accounts(conn: Connection, *added: tuple[str, str, dict[str, Any]]) -> None:
    for name, provider, fields in added:
        conn.execute(
            "select send_set('account', %s, %s, adding => true)", (name, Jsonb({"provider": provider, **fields}))
        )


def everywhere(url: str, mail: str) -> dict[str, str]:
    """An environment in which every provider that comes with the project is reached."""
    names = ("SENDGRID_BASE_URL", "TWILIO_BASE_URL", "X_BASE_URL", "BLUESKY_BASE_URL", "LINKEDIN_BASE_URL",
             "FACEBOOK_BASE_URL", "MASTODON_BASE_URL", "UNIPILE_DSN")  # fmt: skip
    return dict.fromkeys(names, url) | {
        "UNIPILE_API_KEY": "key", "SENDGRID_API_KEY": "SG.key", "TWILIO_AUTH_TOKEN": "token",
        "WEBHOOK_SECRET": WHSEC, "SLACK_WEBHOOK_URL": f"{url}/services/T/B/x", "SMTP_URL": mail,
        "X_TOKEN": "ada", "DID_TOKEN": "ada", "PAGE_TOKEN": "ada", "MASTODON_TOKEN": "ada", "LINKEDIN_TOKEN": "ada",
    }  # fmt: skip


ALL: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("seat", "unipile", {"provider_account_id": "seat-1"}),
    ("mails", "sendgrid", {}),
    ("texts", "twilio", {"provider_account_id": "AC1"}),
    ("post", "smtp", {}),
    ("x", "x", {"secret_env": "X_TOKEN", "provider_account_id": number_of("ada")}),
    ("sky", "bluesky", {"secret_env": "DID_TOKEN", "provider_account_id": f"did:plc:{number_of('ada')}"}),
    ("page", "facebook", {"secret_env": "PAGE_TOKEN", "provider_account_id": "42"}),
    ("toot", "mastodon", {"secret_env": "MASTODON_TOKEN"}),
    ("profile", "linkedin", {"secret_env": "LINKEDIN_TOKEN", "provider_account_id": "urn:li:person:a"}),
    ("chat", "slack", {}),
    ("hook", "webhook", {}),
)
UNKNOWN = {"profile", "chat", "hook"}


def test_each_provider_is_reached_or_says_why_it_cannot_be_probed(
    conn: Connection, cli: Cli, sandbox: Sandbox, tmp_path: Path
) -> None:
    """A line for each account, the one with the most waiting sends first; nothing is sent, no account changes."""
    accounts(conn, *ALL, ("dry", "log", {}))
    conn.execute("select send_set('campaign', 'fall', %s, adding => true)", (Jsonb({"accounts": ["toot"]}),))
    conn.execute("select send_enqueue('fall', 'post', '@toot', 'Hi', account => 'toot', at => %s)", (MONDAY,))
    with Real(tmp_path, user="post", password="right") as mail:
        env = everywhere(sandbox.url, mail.url) | {"SMTP_PASSWORD": "right", "SSL_CERT_FILE": str(mail.certificate)}
        done = cli("doctor", "--probe", env=env, check=False)
        wrong = json.loads(cli("doctor", "--probe", "--json", env=env | {"SMTP_PASSWORD": "wrong"}, check=False).stdout)
        assert mail.mails == []
    lines = [line for line in done.stdout.splitlines() if line.startswith(("reached", "refused", "cannot be probed"))]
    assert lines[0] == "reached: toot (mastodon)"
    assert {line for line in lines if line.startswith("reached")} == {
        f"reached: {name} ({provider})" for name, provider, _ in ALL if name not in UNKNOWN
    }
    assert {line.split(" ")[3] for line in lines if line.startswith("cannot be probed: ")} == UNKNOWN
    [refused] = [probe for probe in wrong["probes"] if probe["result"] == "refused"]
    assert refused["account"] == "post"
    assert refused["detail"].endswith(": put a working secret into SMTP_PASSWORD")
    assert wrong["well"] is False
    assert sandbox.accepted() == []


@pytest.mark.parametrize(("name", "fault", "env", "said"), [
    ("seat", Fault(op="account", status=401, type="errors/missing_credentials"), {}, "or check UNIPILE_API_KEY"),
    ("mails", Fault(op="scopes", status=401), {}, ": put a working secret into SENDGRID_API_KEY"),
    ("texts", Fault(op="sms_list", status=401), {}, ": put a working secret into TWILIO_AUTH_TOKEN, and check the "),
    ("texts", Fault(op="sms_list", status=503), {}, ": probe again later"),
    ("x", None, {"X_TOKEN": "revoked"}, ": put a working secret into X_TOKEN"),
    ("x", None, {"X_TOKEN": "bea"}, f"--provider-account-id {number_of('bea')}"),
    ("sky", None, {"DID_TOKEN": "expired"}, "Token has expired"),
    ("page", None, {"PAGE_TOKEN": "revoked"}, ": put a working secret into PAGE_TOKEN"),
    ("toot", None, {"MASTODON_TOKEN": "revoked"}, "is invalid"),
    ("toot", None, {"MASTODON_BASE_URL": "http://127.0.0.1:9"}, "connect_refused"),
])  # fmt: skip
def test_a_refused_account_has_its_cause_and_remedy(
    conn: Connection, sandbox: Sandbox, name: str, fault: Fault | None, env: dict[str, str], said: str
) -> None:
    """A refusal has the provider's words, a colon, and the remedy."""
    accounts(conn, *[account for account in ALL if account[0] == name])
    if fault is not None:
        sandbox.order(fault)
    in_use = store.doctor_accounts(conn)
    [(_, result)] = environment.probe(in_use, everywhere(sandbox.url, "smtp://127.0.0.1:9") | env)
    assert result.result == "refused"
    assert said in result.detail
    assert "SG.key" not in result.detail


def test_a_token_that_may_only_post_cannot_be_probed(conn: Connection, sandbox: Sandbox) -> None:
    """The network's 403 on the profile says nothing of posts; a sealed token is opened for it."""
    accounts(conn, ("x", "x", {}))
    keys = {VARIABLE: "c2VuZC1xdWV1ZS1zZW5kLXF1ZXVlLXNlbmQtcXVldWU="}
    conn.execute("select send_token_set('x', %s, null, null, null, false, null, null)", (Vault(keys).seal("ada"),))
    sandbox.order(Fault(op="x_me", status=403, times=1))
    env = everywhere(sandbox.url, "smtp://127.0.0.1:9") | keys
    assert [result.result for _, result in environment.probe(store.doctor_accounts(conn), env)] == ["unknown"]
    assert [result.result for _, result in environment.probe(store.doctor_accounts(conn), env)] == ["reached"]


def in_use(n: int, **fields: Any) -> store.AccountInUse:
    send = Claimed(
        send_id=uuid4(), attempt_id=uuid4(), attempt_number=1, channel="email", recipient="", subject=None, message="",
        payload={}, account_id=UUID(int=n), account=f"a{n}", provider="smtp", provider_account_id=None,
        secret_env=None, campaign="", started_at=MONDAY, **fields,
    )  # fmt: skip
    return store.AccountInUse(send, f"a{n}", "active", 0)


def test_one_login_is_tried_once_and_the_deadline_ends_the_rest() -> None:
    """Ten accounts of one server are one login, which a server locks after a few; none begins after the deadline."""
    server = Scripted()
    env = {"SMTP_URL": server.url.replace("smtp://", "smtp://me@"), "SMTP_PASSWORD": "secret-password"}
    server.order("ehlo", "250-x\r\n250 AUTH PLAIN")
    server.order("auth", "535 5.7.8 no: secret-password")
    began = time.monotonic()
    results = [result for _, result in environment.probe([in_use(n) for n in range(10)], env)]
    assert {(result.result, result.detail) for result in results} == {
        ("refused", "127.0.0.1: 535 5.7.8 no: …: put a working secret into SMTP_PASSWORD")
    }
    assert server.connections == 1
    late = [result for _, result in environment.probe([in_use(n) for n in range(3)], env, seconds=0)]
    assert [(result.result, result.detail) for result in late] == [("unknown", "0 seconds were over")] * 3
    assert timedelta(seconds=time.monotonic() - began) < timedelta(seconds=20)
    server.close()


class Pigeon:
    """A provider of others, which has neither `check` nor `probe`."""

    secret = "LOFT_KEY"

    def __init__(self, env: dict[str, str]) -> None:
        """Take nothing."""

    def close(self) -> None:
        """Give back nothing."""


def test_a_provider_of_others_names_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attribute of its class is enough to be missed; without a probe it is unknown, also where the probe raises."""

    def entry_points(group: str, name: str = "smtp") -> EntryPoints:  # noqa: ARG001 — importlib's
        return EntryPoints([EntryPoint(name, f"{__name__}:Pigeon", "send_queue.providers")])

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    [found] = environment.check([in_use(1), in_use(2)], {})
    assert (found.mend, found.severity) == ("export LOFT_KEY=…", "worth knowing")
    assert list(environment.check([in_use(1)], {"LOFT_KEY": "x"})) == []
    assert environment.probe([in_use(1)], {})[0][1].detail == "the provider smtp offers no probe"
    monkeypatch.setattr(Pigeon, "probe", lambda *_: 1 / 0, raising=False)
    assert environment.probe([in_use(1)], {})[0][1].detail.startswith("its probe failed (ZeroDivisionError")


def test_what_each_provider_lacks_is_found_before_anything_waits(conn: Connection, cli: Cli) -> None:
    """Each cause once, with its accounts; derived from what the provider itself would say on a send."""
    accounts(
        conn,
        *ALL,
        ("hook2", "webhook", {}),
        ("dry", "log", {}),
        ("bare", "x", {}),
        ("hers", "sendgrid", {"secret_env": "HERS"}),
    )
    conn.execute("update send_accounts set status = 'paused' where name = 'chat'")

    def found(**env: str) -> dict[str, str]:
        said = json.loads(cli("doctor", "--json", env=env, check=False).stdout)["findings"]
        mine = [finding for finding in said if finding["check"] == "environment"]
        assert {finding["severity"] for finding in mine} <= {"worth knowing"}
        return {finding["mend"]: finding["what"] for finding in mine}

    lacking = found()
    variables = ("UNIPILE_DSN", "UNIPILE_API_KEY", "SENDGRID_API_KEY", "TWILIO_AUTH_TOKEN", "SMTP_URL", "X_TOKEN",
                 "DID_TOKEN", "PAGE_TOKEN", "MASTODON_TOKEN", "LINKEDIN_TOKEN", "SLACK_WEBHOOK_URL", "WEBHOOK_SECRET",
                 "HERS")  # fmt: skip
    assert {f"export {variable}=…" for variable in variables} < lacking.keys()
    assert lacking["export WEBHOOK_SECRET=…"] == (
        "WEBHOOK_SECRET is not set (account hook and 1 more, provider webhook), and nothing waits for it."
    )
    assert [what for what in lacking.values() if what.startswith("The account bare has no token")] != []
    whole = everywhere("http://127.0.0.1:9", "smtp://127.0.0.1:9") | {"HERS": "SG.hers"}
    assert {what.partition(" (")[0] for what in found(**whole).values()} == {"The account bare has no token"}
    spoilt = found(**whole | {"WEBHOOK_SECRET": "no-key"})
    assert any("is not one of webhooks" in what for what in spoilt.values())
