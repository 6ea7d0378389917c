"""`tokens` on the command line: tokens go in by stdin or the environment, come out nowhere, and are renewed by cron."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from held_answers import answers_held

from acceptance.conftest import HOUR, MINUTE, MONDAY, SECOND, Done, Popen, Queue
from send_queue.providers.oauth.errors import ATPROTO, GRAPH, OAUTH
from send_queue.providers.oauth.renew import RULES, missing_variables
from send_queue.rules import vault
from send_queue.sandbox import Fault

KEY = vault.new_key()
CLIENT = {"X_CLIENT_ID": "our-app", "X_CLIENT_SECRET": "our-secret"}


@pytest.fixture
def env(sandbox: Any) -> dict[str, str]:
    """The environment of a crontab whose X is the sandbox."""
    where = dict.fromkeys(("X_BASE_URL", "BLUESKY_BASE_URL", "LINKEDIN_OAUTH_URL", "FACEBOOK_BASE_URL"), sandbox.url)
    return {**where, **CLIENT, "SEND_QUEUE_TOKEN_KEYS": KEY}


@pytest.fixture
def anna(queue: Queue) -> Mapping[str, str]:
    """An account at X, and what it was granted."""
    queue.put("account", "anna", provider="x")
    granted = queue.sandbox.tokens("x").connect("anna")
    return {"access": granted["access_token"], "refresh": granted["refresh_token"]}


def put(queue: Queue, granted: Mapping[str, str], *options: str, **more: Any) -> Done:
    return queue("tokens", "set", "anna", *options, input=f"{granted['access']}\n{granted['refresh']}\n", **more)


def listed(queue: Queue, **more: Any) -> dict[str, Any]:
    [row] = queue.json("tokens", "list", **more)
    assert isinstance(row, dict)
    return row


def test_tokens_go_in_by_stdin_and_are_renewed_by_cron(queue: Queue, anna: Mapping[str, str]) -> None:
    """set, nothing to do, renewed when it is due; none of what is printed is a token."""
    said = put(queue, anna, "--expires-in", "2h").stdout
    assert said == "Set the tokens of the account anna: they are renewed before they end.\n"
    assert (queue("tokens", "refresh").stdout, queue("tokens", "refresh").stderr.count("\n")) == ("", 1)
    due = MONDAY + 81 * MINUTE
    report = queue.json("tokens", "refresh", now=due)
    assert report == {"renewed": 1, "put_off": 0, "disconnected": 0, "accounts": [
        {"account": "anna", "provider": "x", "became": "renewed", "code": None, "message": None}]}  # fmt: skip
    row = listed(queue, now=due)
    assert (row["account"], row["provider"], row["state"]) == ("anna", "x", "good")
    assert row["refreshed_at"] > MONDAY.isoformat()
    everything = said + json.dumps(report) + json.dumps(row) + queue("tokens", "list", now=due).stdout
    assert not any(token in everything for token in anna.values())


def test_tokens_go_in_by_named_variables(queue: Queue, anna: Mapping[str, str]) -> None:
    """--access-env and --refresh-env name them; one that is not set is said, and nothing is stored."""
    named = ("tokens", "set", "anna", "--access-env", "ANNA_ACCESS", "--refresh-env", "ANNA_REFRESH")
    done = queue(*named, env={"ANNA_ACCESS": anna["access"]}, check=False)
    assert (done.returncode, "ANNA_REFRESH is not set" in done.stderr) == (2, True)
    assert queue.json("tokens", "list") == []
    queue(*named, env={"ANNA_ACCESS": anna["access"], "ANNA_REFRESH": anna["refresh"]})
    assert listed(queue)["state"] == "good"


@pytest.mark.parametrize(
    ("args", "given", "says"),
    [
        ([], "", "Stdin does not hold one or two lines"),
        ([], "a\nb\nc\n", "Stdin does not hold one or two lines"),
        ([], "secret word\n", "A token is one word"),
        ([], "sécret\n", "A token is one word"),
        (["--expires-in", "2h", "--expires-at", "2026-12-01T00:00Z"], "secret\n", "give one of them"),
        (["--refresh-env", "B"], "secret\n", "--refresh-env has no --access-env"),
        (["--workspace", "acme"], "secret\n", "There is no"),
        (["--expires-in", "soon"], "secret\n", "is not a duration"),
    ],
)
def test_what_is_wrong_with_tokens_is_said_without_them(
    queue: Queue, anna: Mapping[str, str], args: list[str], given: str, says: str
) -> None:
    """Status 2, one sentence that says what to do, nothing stored, and no word of what was given."""
    assert anna
    done = queue("tokens", "set", "anna", *args, input=given, check=False)
    assert (done.returncode, done.stdout, says in done.stderr) == (2, "", True)
    assert not any(word in done.stderr for word in ("secret", "sécret"))
    assert queue.json("tokens", "list") == []


def test_without_a_key_nothing_is_stored(queue: Queue, anna: Mapping[str, str]) -> None:
    """Status 78, with the command that makes one; what it prints is a key."""
    done = put(queue, anna, env={"SEND_QUEUE_TOKEN_KEYS": ""}, check=False)
    assert (done.returncode, "`send-queue tokens key`" in done.stderr) == (78, True)
    key = queue("tokens", "key").stdout.strip()
    put(queue, anna, env={"SEND_QUEUE_TOKEN_KEYS": key})
    assert listed(queue)["state"] == "good"


def test_a_crontab_without_tokens_needs_no_key(cli: Cli) -> None:
    """The line may stand in every crontab: with nothing to renew it says nothing, and nothing must be set."""
    done = cli("tokens", "refresh")
    assert (done.stdout, done.stderr) == ("", "")
    assert cli("tokens", "reseal").stdout == "Sealed the tokens of 0 accounts anew.\n"


def test_what_lacks_is_said_with_status_78(queue: Queue, anna: Mapping[str, str]) -> None:
    """No client id: the tokens wait, cron's mail says what to set, and with it they are renewed."""
    put(queue, anna)
    due = MONDAY + 81 * MINUTE
    done = queue("tokens", "refresh", now=due, env={"X_CLIENT_ID": ""}, check=False)
    assert (done.returncode, done.stdout.partition("\n")[0]) == (78, "1 put off.")
    assert "X_CLIENT_ID is not set" in done.stderr
    assert listed(queue, now=due)["state"] == "failing"
    assert queue("tokens", "refresh", now=due + 10 * MINUTE).stdout == "1 renewed.\n"


def test_keys_are_changed(queue: Queue, anna: Mapping[str, str]) -> None:
    """Two keys listed, everything sealed anew, the old one dropped."""
    put(queue, anna)
    key = queue("tokens", "key").stdout.strip()
    both = {"SEND_QUEUE_TOKEN_KEYS": f"{key},{KEY}"}
    assert queue("tokens", "reseal", env=both).stdout == "Sealed the tokens of 1 account anew.\n"
    due = MONDAY + 81 * MINUTE
    assert queue("tokens", "refresh", now=due, check=False).returncode == 78  # with the old one alone
    report = queue.json("tokens", "refresh", now=due + 10 * MINUTE, env={"SEND_QUEUE_TOKEN_KEYS": key})
    assert report["renewed"] == 1


@pytest.mark.parametrize(("provider", "ends"), [("x", "disconnected"), ("bluesky", "active")])
def test_a_run_is_killed_after_the_provider_has_answered(queue: Queue, start: Popen, provider: str, ends: str) -> None:
    """`kill -9` while the answer is on its way. Where the provider honours the old tokens nothing is lost; where it
    does not, the account is disconnected, explain says why its sends wait, and connecting it again lets them go on."""
    queue.put("account", "anna", provider=provider)
    queue.put("lane", "anna", adding=False, channel="post")
    queue.campaign("fall", "anna")
    granted = queue.sandbox.tokens(provider).connect("anna")
    put(queue, {"access": granted["access_token"], "refresh": granted["refresh_token"]})
    [send_id] = queue.enqueue(channel="post", account="anna")
    due = MONDAY + 81 * MINUTE
    with answers_held(queue.sandbox, Fault(op=f"{provider}_refresh", answer_delay=1, times=1)) as held:
        run = start("tokens", "refresh", now=due)
        held.wait()
        run.kill()
        run.communicate()

    assert queue("tokens", "refresh", now=due + MINUTE).stdout == ""  # it may still be at work
    done = queue("tokens", "refresh", now=due + 4 * MINUTE)
    assert done.stdout == {"disconnected": "1 disconnected.\n", "active": "1 renewed.\n"}[ends]
    account = queue.json("account", "show", "anna")
    assert account["status"] == ends
    if ends == "active":
        return
    assert "is disconnected: An answer with new tokens was lost" in done.stderr
    explained = queue.explain(send_id, now=due + HOUR)
    assert (explained["verdict"], explained["holds"][0]["rule"]) == ("needs_person", "disconnected")
    assert "`send-queue tokens set anna`" in explained["holds"][0]["detail"]
    granted = queue.sandbox.tokens(provider).connect("anna")
    said = put(queue, {"access": granted["access_token"], "refresh": granted["refresh_token"]}, now=due + HOUR).stderr
    assert "The account anna is disconnected: `send-queue resume account anna`." in said
    queue("resume", "account", "anna", now=due + HOUR)
    assert queue.explain(send_id, now=due + HOUR + SECOND)["verdict"] == "due_now"
    assert listed(queue, now=due + HOUR)["state"] == "good"


def test_tokens_are_removed(queue: Queue, anna: Mapping[str, str]) -> None:
    """Once; then it says that there are none."""
    put(queue, anna)
    assert queue("tokens", "remove", "anna").stdout == "Removed the tokens of the account anna.\n"
    assert queue("tokens", "list").stdout == (
        "No account has tokens: store some with `send-queue tokens set ACCOUNT`.\n"
    )
    done = queue("tokens", "remove", "anna", check=False)
    assert (done.returncode, "has no tokens" in done.stderr) == (2, True)


# --- doctor -----------------------------------------------------------------------------------------------


def findings(queue: Queue, now: Any = MONDAY, **env: str) -> dict[str, dict[str, str]]:
    done = queue("doctor", "--json", now=now, env=env, check=False)
    return {f["check"]: f for f in json.loads(done.stdout)["findings"] if f["check"].startswith("token")}


def test_the_doctor_finds_what_renewals_lack(queue: Queue, anna: Mapping[str, str]) -> None:
    """Keys that open nothing, a client id that is not there, and a crontab without the line; all is well otherwise."""
    put(queue, anna)
    assert findings(queue) == {}
    assert findings(queue, SEND_QUEUE_TOKEN_KEYS="")["token_keys"]["mend"] == "export SEND_QUEUE_TOKEN_KEYS=…"
    other = findings(queue, SEND_QUEUE_TOKEN_KEYS=vault.new_key())["token_keys"]
    assert (other["severity"], "add the key that sealed it" in other["mend"]) == ("wrong", True)
    assert findings(queue, X_CLIENT_ID="")["token_client"]["mend"] == "export X_CLIENT_ID=…"
    assert findings(queue, MONDAY + 130 * MINUTE) == {}
    late = findings(queue, MONDAY + 3 * HOUR)["token"]
    assert (late["severity"], "no refresh has tried its overdue renewal" in late["what"]) == ("wrong", True)


def test_the_doctor_finds_tokens_that_will_end(queue: Queue, anna: Mapping[str, str]) -> None:
    """Without a refresh token: worth knowing within a week, wrong within a day, and what mends it."""
    queue("tokens", "set", "anna", "--expires-in", "30d", input=f"{anna['access']}\n")
    day = 24 * HOUR
    assert findings(queue, MONDAY + 22 * day) == {}
    assert findings(queue, MONDAY + 24 * day)["token"]["severity"] == "worth knowing"
    found = findings(queue, MONDAY + 29.5 * day)["token"]
    assert found == {
        "check": "token",
        "severity": "wrong",
        "mend": "connect it again, then send-queue tokens set anna",
        "what": "The token of the account anna ends at 2026-12-23 15:00 UTC, and nothing can renew it.",
    }


# --- documents --------------------------------------------------------------------------------------------


def test_the_documents_say_what_the_tables_say() -> None:
    """docs/tokens.md has each provider with its variables, and each error with its meaning."""
    text = (Path(__file__).parents[2] / "docs/tokens.md").read_text()
    lines = [line.split(" | ") for line in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE)]
    by_provider = {cells[0].strip("`"): cells for cells in lines if len(cells) == 5}
    assert by_provider.keys() == RULES.keys()
    for name in RULES:
        assert set(missing_variables(name, {})) <= set(re.findall(r"`(\w+)`", by_provider[name][3]))
    meanings = {cells[0]: cells[1:] for cells in lines if len(cells) == 4}
    for names, table in (("`x`, `linkedin`", OAUTH), ("`bluesky`", ATPROTO), ("`facebook`", GRAPH)):
        for meaning, cell in zip(("refused", "our_client", "later"), meanings[names], strict=True):
            said = set(re.findall(r"`(\w+)`", cell.partition(";")[0]))
            assert said == {code for code, meant in table.items() if meant == meaning}
