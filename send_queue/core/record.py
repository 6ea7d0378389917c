"""Record results, count them, and explain why nothing went out."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from send_queue import store
from send_queue.core import explain
from send_queue.core.results import Recorded, Released, Result, Results, Written, as_json, as_row, clean_message_id
from send_queue.core.state import SEND_LEASE, Pass, Progress, RunReport
from send_queue.model import Claimed, ConfigurationError, DatabaseUnreachable, Hold, Retry, Sent, UserError, clock

CONNECT_ERROR_CODES = ("dns", "connect_refused", "connect_timeout", "connect_failed", "tls", "proxy_refused")
"""The codes of calls that never reached the provider (providers/http.py)."""

MAX_CONNECT_FAILURES = 3
"""Skip an account after so many failed connections: each send loses a try."""


MAX_UNRECORDED = 2
"""End a run after more refused results: the lease of each puts its send in doubt."""


class ResultWriter:
    """Records results on a thread and a connection of its own, so that claims and results never wait for each other.

    It connects at its first result. Where no second connection can be had, it shares the run's.
    """

    def __init__(self, pass_: Pass) -> None:
        self._shared = pass_.database.conn
        self._pass = replace(pass_, database=replace(pass_.database))
        self._began = False
        self._thread = ThreadPoolExecutor(1)

    def write(self, results: Results) -> Future[Written]:
        return self._thread.submit(self._write, results)

    def _write(self, results: Results) -> Written:
        if not self._began:
            self._began = True
            with suppress(DatabaseUnreachable, ConfigurationError):
                self._pass.database.renew()
        return _write(self._pass, results)

    def close(self) -> None:
        self._thread.shutdown()
        if self._pass.database.conn is not self._shared:
            self._pass.database.conn.close()


def record(pass_: Pass, results: Results, progress: Progress) -> None:
    """Record results and count them."""
    count(pass_, _write(pass_, results), progress)


def _write(pass_: Pass, results: Results) -> Written:
    """Record results together; where the database refuses one, record each of the others by itself."""
    try:
        return Written(_write_together(pass_, results))
    except DatabaseUnreachable:
        raise
    except Exception:  # reported below, for the one that is refused
        pass
    rows: list[Recorded] = []
    error: Exception | None = None
    refused = 0
    for send, result in results:
        try:
            rows += _write_together(pass_, [(send, result)])
        except DatabaseUnreachable:
            raise
        except Exception as refusal:
            error, refused = refusal, refused + 1
            pass_.listener.warn(
                f"The result of the send {send.send_id} ({type(result).__name__}) could not be recorded: a later run"
                " finds its lease expired and queries its provider."
            )
    return Written(rows, error, refused)


def _write_together(pass_: Pass, results: Results) -> list[Recorded]:
    """Record plain successes in one transaction, all other results in a second."""
    went_out = [(send, clean_message_id(result)) for send, result in results if isinstance(result, Sent)]
    others: Results = [pair for pair in results if not isinstance(pair[1], Sent)]
    recorded: list[Recorded] = []
    if went_out:
        left = pass_.call(lambda conn, at: store.record_sent(conn, went_out, at), _lease_left(went_out))
        recorded = [(send, sent, "sent") for send, sent in went_out if send.attempt_id not in left]
        others += [pair for pair in went_out if pair[0].attempt_id in left]
    if others:
        rows = [as_row(*pair, pass_.providers) for pair in others]
        statuses = pass_.call(lambda conn, at: store.record(conn, rows, at), _lease_left(others))
        for send, result in others:
            if send.send_id in statuses:
                recorded.append((send, result, statuses[send.send_id]))
            else:
                pass_.listener.warn(f"The send {send.send_id} was deleted in flight ({type(result).__name__}).")
    return recorded


def _lease_left(results: Sequence[tuple[Claimed, Result]]) -> float:
    """Return the seconds until the first lease of these results ends."""
    return min(send.leave_by for send, _ in results) - clock()


def count(pass_: Pass, written: Written, progress: Progress) -> None:
    """Count recorded results. Raises the error of one that was not, unless a foreign object refused only a few."""
    for send, result, status in written.rows:
        if pass_.listener.log:
            said = as_json(send, result)
            pass_.listener.step(
                said["outcome"], send, status, code=said.get("error_code"), http_status=said.get("http_status"),
                seconds=clock() - (send.leave_by - SEND_LEASE.total_seconds()),
            )  # fmt: skip
        _count_one(pass_, progress, (send, result, status))
    if written.error:
        progress.unrecorded += written.refused
        if not isinstance(written.error, UserError) or progress.unrecorded > MAX_UNRECORDED:
            raise written.error
        progress.report.unrecorded = written.error


def _count_one(pass_: Pass, progress: Progress, recorded: Recorded) -> None:
    send, result, status = recorded
    report = progress.report
    if isinstance(result, Released) and result.missing_config:
        report.missing_config = report.missing_config or result.missing_config
        progress.skip_accounts.add(send.account_id)
        return
    if isinstance(result, Retry) and result.code in CONNECT_ERROR_CODES:
        progress.connect_failures[send.account_id] += 1
        if progress.connect_failures[send.account_id] >= MAX_CONNECT_FAILURES:
            progress.skip_accounts.add(send.account_id)
    if isinstance(result, Hold) and result.secret is not None:
        note_refusal(report, send.account, send.provider, result.secret, result.code)
    if isinstance(result, Hold) and result.after is None and send.account_id not in progress.disconnected:
        progress.disconnected.add(send.account_id)
        pass_.listener.warn(
            f"The account {send.account} is disconnected ({result.code}): mend it at its provider, then `send-queue"
            f" resume account {shlex.quote(send.account)}`."
        )
    report.send_id = send.send_id
    match status:
        case "sent":
            report.sent += 1
            report.sent_to = send.recipient
            if send.secret_refused is not None and send.account_id not in progress.mended:
                progress.mended.add(send.account_id)
                report.refusals.pop((send.provider, send.secret_refused), None)
                pass_.call(lambda conn, _: store.secret_works(conn, send.account_id))
        case "pending":
            report.held += isinstance(result, Hold | Released)
            report.retried += not isinstance(result, Hold | Released)
        case "failed":
            report.failed += 1
        case "skipped":
            report.skipped += 1
        case _:
            report.uncertain += 1
            progress.uncertain_ids.add(send.send_id)
            progress.look_ups_due = True


def note_refusal(report: RunReport, account: str, provider: str, secret: str, code: str) -> None:
    """Note a secret that its provider refuses, once for all accounts that share it."""
    report.refusals.setdefault((provider, secret), ConfigurationError(
        f"The provider {provider} refuses the secret in {secret} (account {account}, {code}): put a working one there;"
        f" runs try it every 15 minutes, and at once after `send-queue resume account {shlex.quote(account)}`."
    ))  # fmt: skip


def explain_idle(pass_: Pass, report: RunReport, with_remaining: bool) -> None:
    """Report why nothing went out and when anything can, in one query of what is cached."""
    conn, at = pass_.database.conn, pass_.database.now()
    why = store.explain_idle(conn, pass_.filters, at, with_remaining)
    report.remaining = why["remaining"]
    if report.processed == 0 or why["due"] is None or why["due"]["holds"]:
        report.reason, report.message = explain.reason(why["due"])
    if report.processed:  # the reason of other sends is not the reason of these
        held, report.message = explain.last(conn, report.send_id, pass_.database.now())
        report.reason = held or report.reason
    first = why["first"]
    if first and first["beyond"]:
        found = explain.explain(conn, UUID(first["send_id"]), datetime.fromisoformat(first["at"]))
        report.next_at = found.next_at
    elif first and first["next_at"]:
        report.next_at = datetime.fromisoformat(first["next_at"])
