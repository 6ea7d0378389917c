"""Renewing tokens: one run at a time for each account, nothing used before it is stored, what a lost answer costs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path

import psycopg
import pytest
from builders import AT, DAY, HOUR, MINUTE, SECOND, Connection, at_once
from keyring import Keyring, keyring
from psycopg.types.json import Jsonb
from test_send_claim_cost import pages

from send_queue import store
from send_queue.core import token_renewal
from send_queue.model import ConfigurationError, DatabaseUnreachable
from send_queue.providers.oauth.errors import Renewal, Renewed
from send_queue.providers.oauth.renew import RULES, Granted, Renewers
from send_queue.rules.vault import Vault, new_key
from send_queue.sandbox import Fault

RENEWED = ["x", "linkedin", "bluesky", "facebook"]
KEPT = ["linkedin", "bluesky", "facebook"]
"""Whose lost answers are no loss."""

DUE = {name: (rule.life or DAY) * 2 / 3 for name, rule in RULES.items()}
"""When a third of the life is left, from the grant on."""

A_WHOLE_YEAR = pytest.mark.slow
"""4,000 renewals, a minute."""

OPS = {"x": "x_refresh", "linkedin": "linkedin_refresh", "bluesky": "bluesky_refresh", "facebook": "facebook_exchange"}


@pytest.fixture
def ring(conn: Connection, tmp_path: Path) -> Iterator[Keyring]:
    with keyring(conn, tmp_path) as ring:
        yield ring


def became(told: list[token_renewal.RenewalResult]) -> list[str]:
    return [one.became for one in told]


# --- when -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", RENEWED)
def test_tokens_are_renewed_when_a_third_of_their_life_is_left(ring: Keyring, provider: str) -> None:
    """Not a second before it; then the new ones are stored, and are the provider's newest."""
    ring.account(provider)
    before = ring.opened(provider)
    ring.later(DUE[provider] - SECOND)
    assert ring.refresh() == []
    ring.later(SECOND)
    assert became(ring.refresh()) == ["renewed"]
    assert ring.refresh() == []
    assert ring.opened(provider)[0] != before[0]
    assert ring.is_good(provider)
    row = ring.row(provider)
    assert (row["state"], row["account_status"], row["error_code"]) == ("good", "active", None)


def test_within_renews_what_is_not_due_once(ring: Keyring) -> None:
    """--within takes what ends in that time, each once in a run, and --account only that one."""
    for provider in RENEWED:
        ring.account(provider)
    assert sorted(one.account for one in ring.refresh(within=3 * HOUR)) == ["bluesky", "x"]
    assert became(ring.refresh(within=90 * DAY, account="linkedin")) == ["renewed"]
    ring.later(DAY)
    assert Counter(became(ring.refresh(within=90 * DAY))) == {"renewed": 4}


def test_a_paused_account_keeps_its_tokens_alive(ring: Keyring) -> None:
    """A pause of weeks does not cost an account its connection."""
    ring.account("bluesky")
    store.pause(ring.conn, True, "account", "bluesky", None, "on holiday", None, AT)
    ring.later(DUE["bluesky"])
    assert became(ring.refresh()) == ["renewed"]
    assert ring.status("bluesky") == ("paused", "on holiday")


def test_tokens_that_do_not_end_are_left_alone(ring: Keyring) -> None:
    """Mastodon's: nothing is due, nothing ends, nothing is wrong."""
    ring.queue.account("mastodon", provider="mastodon")
    ring.give("mastodon", "a-token")
    ring.later(3650 * DAY)
    assert ring.refresh(within=DAY) == []
    assert (ring.row("mastodon")["state"], ring.status("mastodon")) == ("good", ("active", None))


def test_linkedins_year_ends_and_the_account_says_so(ring: Keyring) -> None:
    """Its refresh token is not prolonged: the last access token ends with it, and then the account is disconnected."""
    ring.account("linkedin")
    renewals = 0
    while ring.now[0] < AT + 365 * DAY - SECOND:
        ring.later(min(DAY, AT + 365 * DAY - SECOND - ring.now[0]))
        renewals += became(ring.refresh()).count("renewed")
    assert renewals == 8  # each forty days, until the access token lasts as long as the refresh token
    assert (ring.row("linkedin")["state"], ring.status("linkedin")[0]) == ("not_renewed", "active")
    assert ring.is_good("linkedin")
    ring.later(SECOND)
    [told] = ring.refresh()
    assert (told.became, told.code) == ("disconnected", "token_ended")
    status, reason = ring.status("linkedin")
    assert (status, (reason or "").startswith("token_ended: Its token ended at 2027-03-02")) == ("disconnected", True)
    assert ring.refresh() == []


@pytest.mark.parametrize("statistics", ["fresh", "none"])
def test_what_is_not_due_costs_nothing(ring: Keyring, statistics: str) -> None:
    """Twenty thousand accounts, none of them due: cron's look is one at the index."""
    ring.conn.execute(
        "with a as (insert into send_accounts (workspace_id, name, provider) select w.id, 'x' || n, 'x'"
        " from send_workspaces w, generate_series(1, 20000) n returning id) "
        "insert into send_tokens (account_id, access_token, refresh_token, expires_at, refreshed_at, renew_at)"
        " select id, 'a', 'r', %(at)s::timestamptz + '2 hours', %(at)s, %(at)s::timestamptz + '80 minutes' from a",
        {"at": AT},
    )
    ring.conn.execute("vacuum analyze" if statistics == "fresh" else "vacuum")
    assert (
        pages(ring.queue, "send_token_take('3 minutes', at => %s)", AT) < 30
    )  # some of it tells whether this is a copy; all accounts would be hundreds
    assert ring.refresh() == []


# --- one at a time ----------------------------------------------------------------------------------------


def test_each_is_renewed_by_one_run_however_many_there_are(ring: Keyring, database: str) -> None:
    """Eight runs at once over twenty accounts of single-use tokens: twenty renewals, no loss."""
    names = [ring.account("x", f"x{n}") for n in range(20)]
    ring.later(DUE["x"])

    def one(queue: object, _: int) -> list[str]:
        assert isinstance(queue, type(ring.queue))
        run = token_renewal.TokenRenewal(store.Database(queue.conn, lambda: ring.now[0]), ring.renewers, ring.env)
        return became(list(run.run(token_renewal.RenewalFilter())))

    assert Counter(chain.from_iterable(at_once(database, 8, one))) == {"renewed": 20}
    assert all(ring.is_good(name, "x") for name in names)


class Looking(Renewers):
    """Looks at the database, from another connection, while the provider is being asked."""

    def __init__(self, ring: Keyring, database: str) -> None:
        super().__init__(ring.env)
        self._ring, self._database = ring, database
        self.seen: list[object] = []

    def renew(self, granted: Granted) -> Renewal:
        with psycopg.connect(self._database, autocommit=True) as other:
            self.seen += (
                other.execute(
                    "select count(*) from pg_stat_activity where datname = current_database()"
                    " and xact_start is not null and pid <> pg_backend_pid()"
                ).fetchone()
                or ()
            )
            # No row is locked either: somebody else may change it, and sees the lease.
            self.seen += other.execute("select renewing_since from send_tokens for update nowait").fetchone() or ()
        renewal = super().renew(granted)
        assert isinstance(renewal, Renewed)
        assert self._ring.opened("x")[0] == granted.access_token  # nobody has the new one before it is stored
        return renewal


def test_invariant_5_no_transaction_is_open_while_a_provider_is_asked(ring: Keyring, database: str) -> None:
    """The lease is committed, and nothing is open or locked, when the request goes out."""
    ring.account("x")
    ring.later(DUE["x"])
    looking = Looking(ring, database)
    assert became(ring.refresh(renewers=looking)) == ["renewed"]
    looking.close()
    assert looking.seen == [0, ring.now[0]]


# --- lost answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "drop", "503", "garbage"])
@pytest.mark.parametrize("provider", KEPT)
def test_a_lost_answer_is_no_loss_where_the_provider_keeps_the_old_tokens(
    ring: Keyring, provider: str, how: str
) -> None:
    """The run was killed between answer and commit, or the answer never came: the next try gets good tokens."""
    ring.account(provider)
    ring.later(DUE[provider])
    lose(ring, provider, how)
    assert ring.refresh() == []  # the lease lasts, or the next try is not due
    assert ring.is_good(provider)
    ring.later(token_renewal.AGAIN)
    assert became(ring.refresh()) == ["renewed"]
    assert (ring.row(provider)["state"], ring.status(provider)) == ("good", ("active", None))
    assert ring.is_good(provider)
    ring.later(DUE[provider])
    assert became(ring.refresh()) == ["renewed"]


@pytest.mark.parametrize("how", ["killed", "drop", "503", "garbage"])
def test_a_lost_answer_of_a_single_use_token_disconnects_and_says_so(ring: Keyring, how: str) -> None:
    """X offers no way back: one more try tells, the account is disconnected with what to do, and nobody asks again."""
    ring.account("x")
    ring.later(DUE["x"])
    lose(ring, "x", how)
    assert ring.status("x") == ("active", None)  # so far nobody knows: the request may not have arrived
    ring.later(token_renewal.AGAIN)
    [told] = ring.refresh()
    assert (told.became, told.code) == ("disconnected", "token_lost")
    status, reason = ring.status("x")
    assert status == "disconnected"
    assert (reason or "").startswith(
        "token_lost: An answer with new tokens was lost, and the old ones can be used once"
    )
    assert "`send-queue tokens set x`, then `send-queue resume account x`" in (reason or "")
    assert ring.row("x")["state"] == "lost"
    ring.later(DAY)
    assert ring.refresh(within=DAY) == []

    ring.connect("x")
    assert ring.status("x")[0] == "disconnected"
    ring.resume("x")
    ring.later(DUE["x"])
    assert became(ring.refresh()) == ["renewed"]
    assert (ring.row("x")["state"], ring.status("x"), ring.is_good("x")) == ("good", ("active", None), True)


def test_a_grace_that_was_slept_through_is_a_loss_too(ring: Keyring) -> None:
    """Cron was down for the two hours in which Bluesky would have answered again: the account says that it was lost."""
    ring.account("bluesky")
    ring.later(DUE["bluesky"])
    ring.killed()
    ring.later(2 * HOUR)
    [told] = ring.refresh()
    assert (told.became, told.code) == ("disconnected", "token_lost")
    assert "the old ones were good for a while only" in (ring.status("bluesky")[1] or "")


def lose(ring: Keyring, provider: str, how: str) -> None:
    """The provider gives new tokens, and nobody has them."""
    if how == "killed":
        ring.killed()
        return
    op = OPS[provider]
    fault = {
        "drop": Fault(op=op, drop="after", times=1),
        "503": Fault(op=op, status=503, accept=True, times=1),
        "garbage": Fault(op=op, spoil="garbage", times=1),
    }[how]
    ring.sandbox.order(fault)
    assert became(ring.refresh()) == ["put_off"]


@pytest.mark.parametrize("provider", RENEWED)
@pytest.mark.parametrize(
    "fault",
    [
        {"drop": "before"},
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "60"}},
        {"status": 403, "body": "no"},
    ],
    ids=["not arrived", "503", "429", "a proxy's no"],
)
def test_what_the_provider_never_did_costs_nothing(ring: Keyring, provider: str, fault: dict[str, object]) -> None:
    """It is put off, the account goes on with the tokens that it has, and the next try renews them, X's too."""
    ring.account(provider)
    ring.later(DUE[provider])
    ring.sandbox.order(Fault.from_json({"op": OPS[provider], "times": 1, **fault}))
    assert became(ring.refresh()) == ["put_off"]
    assert (ring.row(provider)["state"], ring.status(provider)) == ("failing", ("active", None))
    ring.later(MINUTE if fault.get("status") == 429 else token_renewal.AGAIN)
    assert became(ring.refresh()) == ["renewed"]
    assert ring.is_good(provider)


def test_a_run_that_was_taken_for_dead_still_saves_its_tokens(ring: Keyring) -> None:
    """It slept past its lease with X's only good tokens in hand, and another run was refused and has disconnected the
    account. What it holds is stored all the same, and the account is connected again."""
    ring.account("x")
    ring.later(DUE["x"])
    run = ring.one_run()
    taken = store.take_token(ring.conn, token_renewal.RENEWAL_LEASE, None, None, None, [], [], ring.now[0])
    assert taken is not None
    answer = run._ask(taken, float("inf"))
    ring.later(token_renewal.RENEWAL_LEASE)
    assert became(ring.refresh()) == ["disconnected"]
    assert run._settle(taken, answer).became == "renewed"
    assert (ring.status("x"), ring.row("x")["state"], ring.is_good("x")) == (("active", None), "good", True)


def test_invariant_6_a_run_that_was_taken_for_dead_overwrites_nothing_newer(ring: Keyring) -> None:
    """Once another run has stored newer tokens, or a person has, neither its tokens nor its refusal count."""
    ring.account("bluesky")
    ring.later(DUE["bluesky"])
    run = ring.one_run()
    taken = store.take_token(ring.conn, token_renewal.RENEWAL_LEASE, None, None, None, [], [], ring.now[0])
    assert taken is not None
    answer = run._ask(taken, float("inf"))
    ring.later(token_renewal.RENEWAL_LEASE)
    assert became(ring.refresh()) == ["renewed"]
    newer = ring.opened("bluesky")
    assert run._settle(taken, answer).became == "superseded"
    refused = store.token_refused(ring.conn, *token_renewal._lease(taken), "token_refused", "no")
    assert (refused, newer, ring.status("bluesky")) == (False, ring.opened("bluesky"), ("active", None))


def test_tokens_wait_for_a_database_that_is_away(ring: Keyring, database: str) -> None:
    """The connection is lost while the provider answers: what it gave is stored through a new one."""

    class Cut(Renewers):
        def renew(self, granted: Granted) -> Renewal:
            renewal = super().renew(granted)
            with psycopg.connect(database, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s)", (run.database.conn.info.backend_pid,))
            return renewal

    ring.account("x")
    ring.later(DUE["x"])
    times = iter([DatabaseUnreachable("away"), None])

    def reconnect() -> Connection:
        if error := next(times):
            raise error
        return psycopg.connect(database, autocommit=True)

    lost = psycopg.connect(database, autocommit=True)
    cut = Cut(ring.env)
    run = token_renewal.TokenRenewal(store.Database(lost, lambda: ring.now[0], reconnect), cut, ring.env)
    told = list(run.run(token_renewal.RenewalFilter()))
    assert became(told) == ["renewed"]
    assert ring.is_good("x")
    run.database.conn.close()
    cut.close()


def test_a_provider_that_is_away_is_left_alone_after_three(ring: Keyring) -> None:
    """So that an hour of time-outs keeps no other provider's accounts waiting; the next run tries again."""
    for n in range(5):
        ring.account("x", f"x{n}")
    ring.account("bluesky")
    ring.later(DUE["x"])
    ring.sandbox.order(Fault(op="x_refresh", drop="before"))
    assert Counter((one.provider, one.became) for one in ring.refresh()) == {
        ("x", "put_off"): token_renewal.MAX_SILENT_RENEWALS, ("bluesky", "renewed"): 1,
    }  # fmt: skip
    ring.sandbox.clear_faults()
    assert became(ring.refresh()) == ["renewed"] * 2
    ring.later(token_renewal.AGAIN)
    assert became(ring.refresh()) == ["renewed"] * 3


def test_a_run_renews_so_many_tokens_at_the_most(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run renews the rest."""
    monkeypatch.setattr(token_renewal, "MAX_RENEWALS", 2)
    for n in range(3):
        ring.account("x", f"x{n}")
    ring.later(DUE["x"])
    assert [became(ring.refresh()) for _ in range(3)] == [["renewed"] * 2, ["renewed"], []]


# --- refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", RENEWED)
def test_an_account_that_was_revoked_is_disconnected(ring: Keyring, provider: str) -> None:
    """The provider's own refusal disconnects the account, with its words and what to do; no token is in them."""
    ring.account(provider)
    ring.sandbox.tokens(provider).revoke(provider)
    ring.later(DUE[provider])
    assert became(ring.refresh()) == ["disconnected"]
    status, reason = ring.status(provider)
    assert (status, (reason or "").partition(":")[0]) == ("disconnected", "token_refused")
    assert f"`send-queue tokens set {provider}`" in (reason or "")
    assert not any(token and token in (reason or "") for token in ring.opened(provider))


@pytest.mark.parametrize("provider", ["x", "linkedin", "facebook"])
def test_a_client_that_is_not_accepted_disconnects_nobody(ring: Keyring, provider: str) -> None:
    """Our own id or secret is wrong: it says which to check, and is tried again."""
    ring.account(provider)
    ring.later(DUE[provider])
    wrong = {"x": "unauthorized_client", "linkedin": "invalid_client", "facebook": "101"}[provider]
    ring.sandbox.order(Fault(op=OPS[provider], status=401, type=wrong, times=1))
    [told] = ring.refresh()
    assert (told.became, told.code) == ("put_off", "client_refused")
    assert f"Check {provider.upper()}_CLIENT_ID" in (told.message or "")
    assert ring.status(provider) == ("active", None)


def test_what_lacks_in_the_environment_keeps_only_its_own_accounts(ring: Keyring) -> None:
    """Without X_CLIENT_ID X's tokens are put off, the others are renewed, and the run says what to set."""
    ring.account("x")
    ring.account("bluesky")
    ring.later(DUE["x"])
    ring.env = {name: value for name, value in ring.env.items() if name != "X_CLIENT_ID"}
    lacking = Renewers(ring.env)
    run = ring.one_run(lacking)
    assert Counter(became(list(run.run(token_renewal.RenewalFilter())))) == {"renewed": 1, "put_off": 1}
    assert isinstance(run.missing_config, ConfigurationError)
    assert str(run.missing_config).startswith("X_CLIENT_ID is not set")
    lacking.close()


def test_an_account_that_sends_with_another_secret_goes_on(ring: Keyring) -> None:
    """secret_env goes before the tokens, so their end stops nothing."""
    ring.account("x")
    ring.queue.put("account", "x", secret_env="ANOTHER")
    ring.sandbox.tokens("x").revoke("x")
    ring.later(DUE["x"])
    ring.refresh()
    assert (ring.status("x"), ring.row("x")["state"]) == (("active", None), "lost")
    ring.later(DAY)
    assert ring.refresh() == []


# --- holds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["renewed", "set"])
def test_a_hold_for_want_of_a_valid_token_ends_with_the_new_one(ring: Keyring, way: str) -> None:
    """The lane looks again at once; a hold for another reason stays."""
    ring.account("x")
    ring.queue.campaign(accounts=["x"])
    ring.queue.lane("x", "post")
    ring.queue.lane("x", "log")
    ring.later(DUE["x"])
    for channel, code in (("post", "token_expired"), ("log", "rate_limited")):
        ring.queue.fill(1, account="x", channel=channel)
        held(ring, code, channel)
    if way == "renewed":
        ring.refresh()
    else:
        ring.connect("x")
    reasons = [ring.queue.the_lane("x", channel)["next_at_reason"] for channel in ("post", "log")]
    assert reasons == [None, "provider_hold"]
    assert len(ring.queue.taken(ring.now[0])) == 1


def held(ring: Keyring, code: str, channel: str) -> None:
    [send] = ring.queue.taken(ring.now[0], channel=channel)
    result = {"attempt_id": send["attempt_id"], "outcome": "held", "scope": "lane", "error_code": code,
              "error_message": "wait", "hold_seconds": 3600}  # fmt: skip
    ring.conn.execute("select send_record(%s, %s)", (Jsonb([result]), ring.now[0]))


# --- at rest ----------------------------------------------------------------------------------------------


def test_tokens_are_sealed_in_the_database(ring: Keyring) -> None:
    """No row, and no list, has a token in it; the sandbox's own file neither."""
    ring.account("x")
    ring.later(DUE["x"])
    secret = [*ring.opened("x")]
    ring.refresh()
    secret += ring.opened("x")
    shown = str(ring.row("x")) + "".join(ring.queue.all("select to_jsonb(t)::text from send_tokens t"))
    shown += ring.sandbox.path.with_name("journal.jsonl.changes").read_text()
    assert [token for token in secret if token and token in shown] == []


def test_keys_are_changed_by_listing_two_and_resealing(ring: Keyring) -> None:
    """With a new key in front all tokens still open; once they are resealed the old key is not needed any more."""
    ring.account("x")
    ring.account("facebook")
    before = ring.opened("x"), ring.opened("facebook")
    old, new = ring.env["SEND_QUEUE_TOKEN_KEYS"], new_key()
    assert token_renewal.reseal(ring.conn, Vault({"SEND_QUEUE_TOKEN_KEYS": f"{new},{old}"})) == {"resealed": 2}
    with pytest.raises(ConfigurationError, match="No key in"):
        ring.opened("x")
    ring.env = {**ring.env, "SEND_QUEUE_TOKEN_KEYS": new}
    assert (ring.opened("x"), ring.opened("facebook")) == before
    ring.later(DUE["x"])
    assert became(ring.refresh()) == ["renewed"]


def test_resealing_brings_no_old_tokens_back(ring: Keyring) -> None:
    """Those that were renewed since they were read stay."""
    ring.account("x")
    [(account_id, access, _)] = store.sealed_tokens(ring.conn)
    ring.later(DUE["x"])
    ring.refresh()
    newest = ring.opened("x")
    assert store.reseal_token(ring.conn, account_id, access, access, None) is False
    assert newest == ring.opened("x")


# --- the sandbox ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", RENEWED)
def test_the_sandbox_knows_its_tokens_after_a_restart(ring: Keyring, provider: str) -> None:
    """What was granted before it was stopped is good after it, and what was used up is not."""
    ring.account(provider)
    ring.later(DUE[provider])
    ring.killed()
    ring.sandbox.stop()
    ring.sandbox.start()
    ring.later(token_renewal.RENEWAL_LEASE)
    assert became(ring.refresh()) == ["disconnected" if provider == "x" else "renewed"]
    assert ring.is_good(provider)


def test_blueskys_grace_ends(ring: Keyring) -> None:
    """A used refresh token is honoured for two hours, with the same next one, and not a second longer."""
    ring.account("bluesky")
    _, first = ring.opened("bluesky")
    assert first is not None
    asked = Granted("bluesky", "-", first, AT)
    answers = [ring.renewers.renew(asked) for _ in range(2)]
    assert all(isinstance(answer, Renewed) for answer in answers)
    assert len({answer.refresh_token for answer in answers if isinstance(answer, Renewed)}) == 1
    ring.later(2 * HOUR)
    assert type(ring.renewers.renew(asked)).__name__ == "Refused"


# --- a year -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "length"),
    [
        ("x", 20 * DAY),
        ("bluesky", 20 * DAY),
        ("linkedin", 364 * DAY),
        ("facebook", 365 * DAY),
        pytest.param("x", 365 * DAY, marks=A_WHOLE_YEAR),
        pytest.param("bluesky", 365 * DAY, marks=A_WHOLE_YEAR),
    ],
)
def test_a_year_of_renewals(ring: Keyring, provider: str, length: timedelta) -> None:
    """Cron comes each ten minutes, and one renewal in eight goes wrong: killed between answer and commit, the answer
    lost, not arrived, a gateway's error. Tokens are lost only where the provider offers no way back, each time for a
    lost answer, and then the account says so; nobody else is ever disconnected, and whatever is renewed is good."""
    dice = random.Random(7)
    ring.account(provider)
    done: Counter[str] = Counter()
    lost = False  # whether an answer was lost since the last one that was stored
    until = ring.now[0] + length
    while next_tick(ring) and ring.now[0] < until:
        wrong = dice.choice(["killed", "after", "before", "503"]) if dice.random() < 1 / 8 else None
        if wrong == "killed" and not (lost and provider == "x"):  # it would be refused, and there is nothing to lose
            ring.killed()
            done["killed"] += 1
            lost = True
            continue
        if wrong in ("after", "before"):
            ring.sandbox.order(Fault.from_json({"op": OPS[provider], "drop": wrong, "times": 1}))
        elif wrong == "503":
            ring.sandbox.order(Fault(op=OPS[provider], status=503, times=1))
        [told] = ring.refresh()
        ring.sandbox.clear_faults()
        done[told.became] += 1
        lost = lost or wrong == "after"
        if told.became == "disconnected":
            assert (provider, told.code, lost) == ("x", "token_lost", True)
            assert ring.status("x")[0] == "disconnected"
            ring.connect("x")
            ring.resume("x")
            lost = False
        elif told.became == "renewed":
            assert not (lost and provider == "x")
            assert ring.is_good(provider)
            lost = False
        assert ring.status(provider) == ("active", None)
    assert done["killed"] + done["put_off"] > 0
    assert (done["disconnected"] > 0) == (provider == "x")
    assert done["renewed"] > 0.6 * (length / DUE[provider])


def next_tick(ring: Keyring) -> bool:
    """Go to the moment at which cron first finds the tokens due: before it there is nothing to be played. False where
    they are renewed no more."""
    [(due, since)] = ring.queue.all("select renew_at, renewing_since from send_tokens")
    if due is None:
        return False
    first = max(due, since + token_renewal.RENEWAL_LEASE) if since else due
    ticks = -((ring.now[0] - first) // (10 * MINUTE))
    ring.later(max(ticks, 1) * 10 * MINUTE)
    return True
