"""tokens: key, set, list, refresh, reseal, remove. No token is an argument or printed."""

from __future__ import annotations

import shlex
import signal
import sys
from datetime import UTC, datetime, timedelta
from threading import Event

import click

from send_queue.cli.app import App, json_option, warn, workspace_option
from send_queue.cli.output import as_json, printable, table, terminal_width
from send_queue.cli.values import CLEARED, DURATION, VARIABLE, Kind, moment
from send_queue.model import UserError

COLUMNS = ("workspace", "account", "provider", "state", "expires_at", "refreshed_at", "error_code")
SPARE = ("workspace", "error_code", "refreshed_at")
MOMENT_OR_NONE = Kind("time|none", moment, clearable=True)


@click.group("tokens")
def tokens_command() -> None:
    """Access tokens of accounts: sealed in the database, renewed before they end."""


@tokens_command.command("key")
def tokens_key() -> None:
    """Print a new key for SEND_QUEUE_TOKEN_KEYS, which seals the tokens.

    Keep it apart from the database and its backups: the two together reveal the tokens.

    \b
    Example: send-queue tokens key
    """
    from send_queue.rules import vault

    click.echo(vault.new_key())


@tokens_command.command("set")
@click.argument("account")
@click.option("--access-env", metavar="VAR", type=VARIABLE, help="The variable with the access token (default: the "
              "first line of stdin).")  # fmt: skip
@click.option("--refresh-env", metavar="VAR", type=VARIABLE, help="The variable with the refresh token (default: the "
              "second line of stdin).")  # fmt: skip
@click.option("--expires-at", type=MOMENT_OR_NONE, help="The end of the access token (default: the provider's "
              "usual lifetime from now).")  # fmt: skip
@click.option("--expires-in", type=DURATION, help="The same as a time from now: 2h, 60d.")
@click.option("--refresh-expires-at", type=MOMENT_OR_NONE, help="The end of the refresh token.")
@workspace_option
@json_option
@click.pass_obj
def tokens_set(
    app: App, /, account: str, access_env: str | None, refresh_env: str | None, expires_at: datetime | object | None,
    expires_in: timedelta | None, refresh_expires_at: datetime | object | None, workspace: str | None, json_: bool,
) -> None:  # fmt: skip
    """Store an account's access token, and its refresh token if it has one.

    Give them as two lines on stdin or in environment variables; a terminal does not show them.

    \b
    Example: send-queue tokens set anna --expires-in 2h <granted.txt
    """
    from send_queue import store
    from send_queue.providers.oauth.renew import RULES
    from send_queue.rules.vault import Vault

    if expires_at is not None and expires_in is not None:
        raise UserError("--expires-at and --expires-in exclude each other: give one of them.")
    vault = Vault(app.env)
    access_token, refresh_token = _granted(app, access_env, refresh_env)
    with app.database() as conn:
        [row] = store.listed(conn, "account", store.find(conn, "account", account, workspace))
        rule = RULES.get(row["provider"])
        now = app.now() or datetime.now(UTC)
        row = store.set_token(
            conn,
            account,
            vault.seal(access_token),
            vault.seal(refresh_token) if refresh_token else None,
            _end(now, expires_at, expires_in or (rule.life if rule else None)),
            _end(now, refresh_expires_at, rule.refresh_life if rule and refresh_token else None),
            rule.can_renew(refresh_token) if rule else False,
            workspace,
            app.now(),
        )
    if json_:
        click.echo(as_json(row))
        return
    renewed = "are renewed before they end" if row["renew_at"] else "are not renewed"
    click.echo(f"Set the tokens of the account {printable(account)}: they {renewed}.")
    if row["account_status"] != "active":
        resume = shlex.join(
            ["send-queue", "resume", "account", account, *(("--workspace", workspace) if workspace else ())]
        )
        warn(f"The account {account} is {row['account_status']}: `{resume}`.")


def _end(now: datetime, given: datetime | object | None, life: timedelta | None) -> datetime | None:
    """Return the given moment (None for `none`), else now plus the lifetime. Raises `UserError` beyond the calendar."""
    if given is not None:
        return given if isinstance(given, datetime) else None
    try:
        return now + life if life else None
    except OverflowError:
        raise UserError("--expires-in is longer than the calendar: write a shorter one.") from None


def _granted(app: App, access_env: str | None, refresh_env: str | None) -> tuple[str, str | None]:
    """Read the tokens from variables or stdin. Raises `UserError`, which shows nothing of them."""
    from send_queue.providers.oauth.errors import is_token

    if access_env is CLEARED or refresh_env is CLEARED:
        raise UserError("`none` is not a variable's name: leave the option out.")
    if refresh_env and not access_env:
        raise UserError("--refresh-env has no --access-env: name both, or give both on stdin.")
    if access_env:
        named = [name for name in (access_env, refresh_env) if name]
        for name in named:
            if not app.env.get(name, "").strip():
                raise UserError(f"{name} is not set: set it to the token, or name another variable.")
        given = [app.env[name].strip() for name in named]
    elif sys.stdin.isatty():
        given = [click.prompt("Access token", hide_input=True, err=True),
                 click.prompt("Refresh token (Enter where there is none)", hide_input=True, default="",
                              show_default=False, err=True)]  # fmt: skip
        given = [line.strip() for line in given if line.strip()]
    else:
        given = [line.strip() for line in sys.stdin.read(1 << 16).splitlines() if line.strip()]
    if not 1 <= len(given) <= 2:
        raise UserError(
            "Stdin does not hold one or two lines: give the access token, and below it the refresh token, if any."
        )
    if not all(map(is_token, given)):
        raise UserError("A token is one word of plain letters, digits and signs: give it as the provider gave it.")
    return given[0], given[1] if len(given) > 1 else None


@tokens_command.command("list")
@json_option
@click.pass_obj
def tokens_list(app: App, /, json_: bool) -> None:
    """List accounts with tokens, the tokens' ends and the state of their renewal; never the tokens.

    \b
    Example: send-queue tokens list --json
    """
    from send_queue import store

    with app.database() as conn:
        rows = store.tokens(conn, app.now())
    if json_:
        click.echo(as_json(rows))
    elif rows:
        click.echo(table(rows, COLUMNS, terminal_width(), SPARE))
    else:
        click.echo("No account has tokens: store some with `send-queue tokens set ACCOUNT`.")


@tokens_command.command("refresh")
@click.option(
    "--within",
    type=DURATION,
    help="Renew tokens that end within this time (default: those with a third of their lifetime left).",
)
@click.option("--account", metavar="A", help="Only this account's tokens.")
@workspace_option
@json_option
@click.pass_obj
def tokens_refresh(
    app: App, /, within: timedelta | None, account: str | None, workspace: str | None, json_: bool
) -> None:
    """Renew tokens before they end. Give it a crontab line of its own, every half an hour.

    If a provider refuses to renew, the account is disconnected, with the reason, and its sends wait.

    \b
    Example: send-queue tokens refresh --account anna
    """
    from send_queue.core import rehearsal, token_renewal
    from send_queue.providers.oauth.renew import Renewers
    from send_queue.store import Database

    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # store every answer before ending
        signal.signal(number, lambda *_: stop.set())
    renewers = Renewers(app.env)
    told = []
    try:
        with app.database() as conn:
            rehearsal.check_renewals(conn, app.env, app.now())
            database = Database(conn, app.now, app.reconnect)
            renewal = token_renewal.TokenRenewal(database, renewers, app.env, stop)
            for one in renewal.run(token_renewal.RenewalFilter(within, account, workspace)):
                told.append(one)
                if one.became == "disconnected":
                    warn(f"The account {one.account} is disconnected: {one.message}")
            database.conn.close()
    finally:
        renewers.close()
    count = {name: sum(one.became == name for one in told) for name in ("renewed", "put_off", "disconnected")}
    if json_:
        click.echo(as_json({**count, "accounts": [one.as_json() for one in told]}))
    elif told or sys.stdout.isatty():
        words = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in count.items() if n)
        click.echo(f"{words[0].upper()}{words[1:]}." if words else "No token needs renewal.")
        for one in told:
            if one.became == "put_off":
                click.echo(f"  {printable(one.account)}: {printable(one.message or '')} ({one.code})")
    if renewal.missing_config:
        raise renewal.missing_config


@tokens_command.command("reseal")
@json_option
@click.pass_obj
def tokens_reseal(app: App, /, json_: bool) -> None:
    """Seal all tokens anew with the first key of SEND_QUEUE_TOKEN_KEYS; then you can drop the others.

    \b
    Example: send-queue tokens reseal
    """
    from send_queue import store
    from send_queue.core import token_renewal
    from send_queue.rules.vault import Vault

    with app.database() as conn:
        count = token_renewal.reseal(conn, Vault(app.env)) if store.sealed_tokens(conn) else {}
    resealed, renewed = count.get("resealed", 0), count.get("renewed", 0)
    if json_:
        click.echo(as_json({"resealed": resealed, "renewed": renewed}))
        return
    click.echo(f"Sealed the tokens of {resealed:,} {'account' if resealed == 1 else 'accounts'} anew.")
    if renewed:
        warn(f"{renewed:,} were renewed meanwhile, perhaps under an older key: run this command again.")


@tokens_command.command("remove")
@click.argument("account")
@workspace_option
@json_option
@click.pass_obj
def tokens_remove(app: App, /, account: str, workspace: str | None, json_: bool) -> None:
    """Delete an account's tokens. At the provider they stay valid until they end or you revoke them there.

    \b
    Example: send-queue tokens remove anna
    """
    from send_queue import store

    with app.database() as conn:
        store.remove_token(conn, account, workspace)
    click.echo(as_json({"removed": account}) if json_ else f"Removed the tokens of the account {printable(account)}.")
