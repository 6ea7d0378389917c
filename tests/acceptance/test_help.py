"""Help: each command says in an example how it is called."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from conftest import Cli

from send_queue.cli import cli as root


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that can be called, with the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            yield from commands(below, (*path, name))
    else:
        yield path, command


ALL = dict(commands(root))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    """Each command's --help has an example that calls that command, and explains each of its options."""
    shown = CliRunner().invoke(root, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output
    if path != ("embedded", "url"):  # it is called inside of another command's line
        assert f"send-queue {' '.join(path)}" in " ".join(shown.output.partition("Example")[2].split())
    for option in ALL[path].params:
        if isinstance(option, click.Option):
            assert option.help, option.name


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_an_example_can_be_copied_from_a_narrow_terminal(path: tuple[str, ...]) -> None:
    """It is not wrapped anew: a line ends within a word of an option only where the shell goes on."""
    wide, narrow = (CliRunner().invoke(root, [*path, "--help"], terminal_width=n).output for n in (100, 40))
    example = wide.partition("Example")[2].partition("\n\n")[0]
    assert example in narrow


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_options_stand_in_order(path: tuple[str, ...]) -> None:
    """What is required comes first, --json last."""
    options = [option for option in ALL[path].params if isinstance(option, click.Option)]
    assert options == sorted(options, key=lambda option: (not option.required, option.name == "json_"))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_what_reports_can_report_in_json(path: tuple[str, ...]) -> None:
    """Whatever prints something that a program may want has --json."""
    without = {("sandbox",), ("demo",), ("embedded", "url"), ("embedded", "stop"), ("tokens", "key"), ("metrics",)}
    assert ("json_" in {option.name for option in ALL[path].params}) == (path not in without)


PROMISED = ["migrate", "enqueue", "import", "run-once", "run", "status", "list", "show", "explain",
            "forecast", "pause", "resume", "retry", "cancel", "settle", "prune",
            "doctor", "sandbox", "demo"]  # fmt: skip


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_commands_are_there(name: str) -> None:
    """The contract's list of commands."""
    assert (name,) in ALL


@pytest.mark.parametrize("kind", ["workspace", "account", "lane", "schedule", "campaign", "limit"])
def test_the_promised_groups_can_add_set_list_and_show(kind: str) -> None:
    """What an operator steers has the same four verbs everywhere."""
    assert {(kind, verb) for verb in ("add", "set", "list", "show")} <= set(ALL)


def test_help_for_the_command_itself_and_its_version(cli: Cli) -> None:
    """Without a word the help is shown, with status 2; --version names the version."""
    done = cli(check=False)
    assert (done.returncode, "Commands:" in done.stdout + done.stderr) == (2, True)
    assert "..." not in (done.stdout + done.stderr).partition("Commands:")[2], "a command's sentence is cut"
    assert cli("--version").stdout.startswith("send-queue ")
    assert "Usage: send-queue run-once" in cli("run-once", "-h").stdout
