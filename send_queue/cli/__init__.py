"""The command line: parse, call, print.

Each group of commands is a module, loaded when one of them is called: cron pays for every import on every tick.

An error is one sentence on stderr that says what to do next, and an exit status: 2 wrong usage, 69 database out of
reach, 74 output could not be written, 78 configuration missing or wrong. Only --debug prints a traceback.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from importlib import import_module

import click

from send_queue.cli.app import App, warn
from send_queue.model import UserError

COMMANDS = {
    "migrate": "system",
    "workspace": "configure",
    "account": "configure",
    "lane": "configure",
    "schedule": "configure_schedules",
    "campaign": "configure_campaigns",
    "limit": "configure_limits",
    "enqueue": "intake",
    "import": "intake",
    "post": "posts",
    "run-once": "sending",
    "run": "sending",
    "status": "status",
    "report": "report",
    "list": "sends",
    "show": "sends",
    "explain": "sends",
    "history": "history",
    "metrics": "monitoring",
    "notify": "monitoring",
    "forecast": "forecast",
    "pause": "operate",
    "resume": "operate",
    "retry": "operate",
    "cancel": "operate",
    "amend": "amend",
    "reassign": "reassign",
    "settle": "operate",
    "suppress": "suppress",
    "rename": "remove",
    "remove": "remove",
    "forget": "forget",
    "prune": "operate",
    "tokens": "tokens",
    "adopt": "adopt",
    "doctor": "doctor",
    "sandbox": "system",
    "embedded": "embedded",
    "demo": "system",
}
"""The module of each command, which defines it as NAME_command, with `_` for `-`."""


class Commands(click.Group):
    """A group that loads a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 — click's signature
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their whole first sentences: click would cut them at the end of the line."""
        there = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(500)) for name, command in there if command])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if close := get_close_matches(args[0], COMMANDS, 1):
                raise click.UsageError(f"{error.message.rstrip('.')}. Did you mean {close[0]!r}?", ctx) from None
            raise

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 — click's signature
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"send_queue.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_") + "_command")
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show a traceback when something goes wrong.")
@click.version_option(package_name="send-queue", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Send messages from Postgres: slowly, at civil hours, within every cap, never twice.

    \b
    A first look:   send-queue demo
    A first start:  send-queue migrate
                    send-queue account add anna --provider log
                    send-queue campaign add hello --account anna
                    send-queue enqueue --campaign hello --channel log --recipient you --message hi
                    send-queue run-once
    """
    ctx.obj = App(os.environ, debug)


def main() -> None:
    """Run the command and exit with its status.

    Garbage is collected seldom and the interpreter is not torn down: cron pays for each start.
    """
    gc.set_threshold(50_000)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed before the start
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    status = _status(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, BrokenPipeError):
            pass  # the reader closed it
        except OSError as error:
            status = status or error.errno or 1
    os._exit(status)


def _status(args: list[str]) -> int:
    debug = "--debug" in args
    try:
        result = cli.main(args, prog_name="send-queue", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return 2
    except click.ClickException as error:
        if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter):
            warn(f"{error.format_message().rstrip('.')}.")  # the message says how to write the value
            return 2
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "send-queue"
        said = error.format_message().rstrip(".")
        warn(f"{said} See `{path} --help`." if said.endswith("?") else f"{said}: see `{path} --help`.")
        return 2
    except UserError as error:
        if debug:
            raise
        warn(str(error))
        return error.exit_status
    except UnicodeEncodeError:
        if debug:
            raise
        warn("An argument is not text in UTF-8: check the shell's encoding.")
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader closed stdout: flushing the rest would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF):
            warn(
                f"The output could not be written ({os.strerror(error.errno)}): make room on the disk, and look at the"
                " queue with `send-queue status`."
            )
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 74
        warn(
            f"This should not happen ({type(error).__name__}): run it again with `send-queue --debug …` and report it."
        )
        return 70
