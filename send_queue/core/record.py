"""Record results, count them, and say why nothing went out."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from send_queue import store
from send_queue.core import explain, log_lines
from send_queue.core.results import Released, Result, Results, Written, as_json, as_row, clean_message_id
from send_queue.core.state import LOCK_WAIT_SECONDS, SEND_LEASE, Pass, RunReport, like
from send_queue.model import (
    Claimed,
    ConfigurationError,
    DatabaseUnreachable,
    Failed,
    Hold,
    Retry,
    Sent,
    clock,
)
from send_queue.store import Connection, Json

CONNECT_ERROR_CODES = ("dns", "connect_refused", "connect_timeout", "connect_failed", "tls", "proxy_refused")
"""The codes of what did not get as far as the provider (providers/http.py)."""

MAX_CONNECT_FAILURES = 3
"""How often a run meets that for an account before it passes the account by: each send would lose a try to it."""


class ResultWriter:
    """Where results are written down while calls go on: a thread, and a connection that is made when there is something
    to write, so that claims and results do not wait for each other. Where none can be had, they share the run's."""

    def __init__(self, pass_: Pass, connect: Callable[[], Connection]) -> None:
        self._run = replace(pass_)
        self._connect: Callable[[], Connection] | None = connect
        self._shared = pass_.conn
        self._thread = ThreadPoolExecutor(1)

    def write(self, results: Results) -> Future[Written]:
        return self._thread.submit(self._write, results)

    def _write(self, results: Results) -> Written:
        if self._connect:
            connect, self._connect = self._connect, None
            with suppress(DatabaseUnreachable, ConfigurationError):
                self._run.conn = like(self._shared, connect())
        return _write(self._run, results)

    def close(self) -> None:
        self._thread.shutdown()
        if self._run.conn is not self._shared:
            self._run.conn.close()


def record(pass_: Pass, results: Results, report: RunReport) -> None:
    """Write down what became of sends, and count it."""
    count(pass_, _write(pass_, results), report)


def _step(send: Claimed, result: Result, status: str) -> log_lines.Transition:
    """What a result is to a log: how it ended, and how long after the claim."""
    said = as_json(send, result)
    return log_lines.log_event(
        said["outcome"], send, status, code=said.get("error_code"), http_status=said.get("http_status"),
        seconds=clock() - (send.leave_by - SEND_LEASE.total_seconds()),
    )  # fmt: skip


def _write(pass_: Pass, results: Results) -> Written:
    """Write down what became of sends. Where the database refuses one, all others are written down, each by itself."""
    try:
        return _write_together(pass_, results)
    except DatabaseUnreachable:
        raise
    except Exception:  # said below, of the one that is refused
        pass
    rows: list[tuple[Claimed, Result, str]] = []
    refused: Exception | None = None
    for send, result in results:
        try:
            rows += _write_together(pass_, [(send, result)]).rows
        except DatabaseUnreachable:
            raise
        except Exception as error:
            refused = error
            pass_.warn(
                f"What became of the send {send.send_id} ({type(result).__name__}) could not be written down. When its"
                " lease is over it counts as left by a dead run, and its provider is asked."
            )
    return Written(rows, refused)


def _write_together(pass_: Pass, results: Results) -> Written:
    """Those that went out in one transaction, the others in one."""
    went_out = [(send, clean_message_id(result)) for send, result in results if isinstance(result, Sent)]
    others: Results = [pair for pair in results if not isinstance(pair[1], Sent)]
    written: list[tuple[Claimed, Result, str]] = []
    if went_out:
        leave_by = min(send.leave_by for send, _ in went_out)
        left = pass_.call(leave_by - clock(), lambda: store.record_sent(pass_.conn, went_out, pass_.now()))
        written = [(send, sent, "sent") for send, sent in went_out if send.attempt_id not in left]
        others += [pair for pair in went_out if pair[0].attempt_id in left]
    if others:
        rows = [as_row(*pair) | _suppressing(pass_, *pair) for pair in others]
        leave_by = min(send.leave_by for send, _ in others)
        statuses = pass_.call(leave_by - clock(), lambda: store.record(pass_.conn, rows, pass_.now()))
        for send, result in others:
            if send.send_id in statuses:
                written.append((send, result, statuses[send.send_id]))
            else:
                pass_.warn(f"The send {send.send_id} was deleted in flight ({type(result).__name__}).")
    return Written(written)


def _suppressing(pass_: Pass, send: Claimed, result: Result) -> Json:
    """Whether nobody may write to the recipient any more: the provider has a name for such refusals."""
    if not isinstance(result, Failed):
        return {}
    provider = pass_.providers.serving(send.provider, send.channel)
    return {"suppress": True} if result.code in getattr(provider, "suppresses", ()) else {}


def count(pass_: Pass, written: Written, report: RunReport) -> None:
    """Count what is written down. Raises why something could not be: its lease will put it in doubt."""
    for send, result, status in written.rows:
        if pass_.log:
            pass_.log(_step(send, result, status))
        _count_one(pass_, report, send, result, status)
    if written.error:
        raise written.error


def _count_one(pass_: Pass, report: RunReport, send: Claimed, result: Result, status: str) -> None:
    if isinstance(result, Released) and result.missing_config:
        report.missing_config = report.missing_config or result.missing_config
        pass_.skip_accounts.add(send.account_id)
        return
    if isinstance(result, Retry) and result.code in CONNECT_ERROR_CODES:
        report.connect_failures[send.account_id] += 1
        if report.connect_failures[send.account_id] >= MAX_CONNECT_FAILURES:
            pass_.skip_accounts.add(send.account_id)
    if isinstance(result, Hold) and result.secret is not None:
        note_refusal(report, send.account, send.provider, result.secret, result.code)
    report.send_id = send.send_id
    if send.secret_refused is not None and send.account_id not in report.mended and status == "sent":
        report.mended.add(send.account_id)
        report.refusals.pop((send.provider, send.secret_refused), None)
        pass_.call(LOCK_WAIT_SECONDS, lambda: store.secret_works(pass_.conn, send.account_id))
    match status:
        case "sent":
            report.sent += 1
            report.sent_to = send.recipient
        case "pending":
            report.held += isinstance(result, Hold | Released)
            report.retried += not isinstance(result, Hold | Released)
        case "failed":
            report.failed += 1
        case "skipped":
            report.skipped += 1
        case _:
            report.uncertain += 1
            report.uncertain_ids.add(send.send_id)
            report.in_doubt = True


def note_refusal(report: RunReport, account: str, provider: str, secret: str, code: str) -> None:
    """Note a secret that its provider refuses, once however many accounts share it."""
    report.refusals.setdefault((provider, secret), ConfigurationError(
        f"The provider {provider} refuses the secret in {secret} (account {account}, {code}): put a working one there;"
        f" runs try it every 15 minutes, and at once after `send-queue resume account {shlex.quote(account)}`."
    ))  # fmt: skip


def explain_idle(pass_: Pass, report: RunReport, counting: bool) -> None:
    """Say why nothing went out, and when anything can: one more look, from what is cached."""
    why = store.explain_idle(pass_.conn, pass_.filters, pass_.now(), counting)
    report.remaining = why["remaining"]
    if report.processed == 0 or why["due"] is None or why["due"]["holds"]:
        report.reason, report.message = explain.reason(why["due"])
    if report.processed:  # why others wait says nothing of these
        held, report.message = explain.last(pass_.conn, report.send_id, pass_.now())
        report.reason = held or report.reason
    first = why["first"]
    if first and first["beyond"]:
        found = explain.explain(pass_.conn, UUID(first["send_id"]), datetime.fromisoformat(first["at"]))
        report.next_at = found.next_at
    elif first and first["next_at"]:
        report.next_at = datetime.fromisoformat(first["next_at"])
