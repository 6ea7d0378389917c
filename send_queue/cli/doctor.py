"""doctor: findings and their remedies."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from send_queue.cli.app import App, json_option
from send_queue.cli.output import as_json, printable


@click.command("doctor")
@json_option
@click.pass_obj
def doctor_command(app: App, /, json_: bool) -> int:
    """Check the queue, its database and this environment; print each problem with its remedy.

    Exits with 1 if it finds an error. Run it in your cron job's environment, which has the secrets.

    \b
    Example: send-queue doctor
    """
    from send_queue.insight import doctor

    with app.database() as conn:
        findings = doctor.examine(conn, app.env, app.now(), lambda: datetime.now(UTC))
    well = all(finding.severity != "wrong" for finding in findings)
    if json_:
        click.echo(as_json({"well": well, "findings": [asdict(finding) for finding in findings]}))
        return 0 if well else 1
    for finding in findings:
        click.echo(f"{finding.severity}: {printable(finding.what)}\n    mend: {printable(finding.mend)}")
    if well:
        click.echo("All is well." if not findings else "Nothing is wrong.")
    return 0 if well else 1
