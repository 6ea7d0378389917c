"""The command line: parse, call, print. One module for each group of commands, loaded when one of them is called,
because cron pays for every import on every tick.

What goes wrong is one sentence on stderr that says what to do next, and an exit status: 2 wrong usage, 69 the
database cannot be reached, 74 the output cannot be written, 78 configuration missing or wrong; a traceback only with
--debug.
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
    "reassign": "reassign",
    "settle": "operate",
    "suppress": "suppress",
    "forget": "forget",
    "prune": "operate",
    "tokens": "tokens",
    "adopt": "adopt",
    "doctor": "doctor",
    "sandbox": "system",
    "embedded": "embedded",
    "demo": "system",
}
"""Each command, and the module that has it, under its name with `_` for `-`."""


class Commands(click.Group):
    """A group that loads a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 — click's signature
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them, each with its whole first sentence: click would cut it where the line ends."""
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

    Cron pays for each start: rubbish is looked for seldom, and the interpreter is left, not taken apart.
    """
    gc.set_threshold(50_000)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before we began
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    status = _status(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, BrokenPipeError):
            pass  # it is closed: whoever read us has seen enough
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
            warn(f"{error.format_message().rstrip('.')}.")  # it says itself how to write the value
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
        warn("What was given is not text in UTF-8, and cannot be stored: check the shell's encoding.")
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # Whoever read us has seen enough; the interpreter must not try to flush what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF):
            warn(
                f"What there is to say could not be written ({os.strerror(error.errno)}): make room, and see what was"
                " done with `send-queue status`."
            )
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 74
        warn(
            f"This should not happen ({type(error).__name__}): run it again with `send-queue --debug …` and report it."
        )
        return 70
