"""doctor: findings and their remedies, and probes of the providers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from send_queue.cli.app import App, json_option
from send_queue.cli.output import as_json, printable

if TYPE_CHECKING:
    from send_queue.model import ProbeResult
    from send_queue.store import AccountInUse


@click.command("doctor")
@click.option("--probe", is_flag=True, help="Also ask each account's provider whether it answers and takes the secret.")
@json_option
@click.pass_obj
def doctor_command(app: App, /, probe: bool, json_: bool) -> int:
    """Check the queue, its database and this environment; print each problem with its remedy.

    --probe makes one harmless request for each account, the account with the most waiting sends first, and sends
    nothing: reached, refused, or cannot be probed. Exits with 1 if it finds an error. Run it in your cron job's
    environment, which has the secrets.

    \b
    Example: send-queue doctor
    """
    from send_queue import store
    from send_queue.insight import doctor, environment

    with app.database() as conn:
        findings = doctor.examine(conn, app.env, app.now(), lambda: datetime.now(UTC))
        unfit = any(finding.check in ("schema", "server") for finding in findings)
        accounts = store.doctor_accounts(conn) if probe and not unfit else []
    probes = environment.probe(accounts, app.env)
    well = all(finding.severity != "wrong" for finding in findings)
    well = well and all(result.result != "refused" for _, result in probes)
    if json_:
        told = {"probes": [_probed(account, result) for account, result in probes]} if probe else {}
        click.echo(as_json({"well": well, "findings": [asdict(finding) for finding in findings], **told}))
        return 0 if well else 1
    for account, result in probes:
        said = "cannot be probed" if result.result == "unknown" else result.result
        detail = f": {result.detail}" if result.detail else ""
        click.echo(printable(f"{said}: {account.label} ({account.send.provider}){detail}"))
    for finding in findings:
        click.echo(f"{finding.severity}: {printable(finding.what)}\n    mend: {printable(finding.mend)}")
    if well:
        click.echo("All is well." if not findings else "Nothing is wrong.")
    return 0 if well else 1


def _probed(account: AccountInUse, result: ProbeResult) -> dict[str, str]:
    return {
        "workspace_id": str(account.send.workspace_id), "account": account.send.account,
        "provider": account.send.provider, "result": result.result, "detail": result.detail,
    }  # fmt: skip
