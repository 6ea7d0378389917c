"""Command lines as documents and crontabs have them, read by the real command without running it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from uuid import UUID

import click

from send_queue.cli import cli

AN_ID = str(UUID(int=0))
"""What stands for the placeholder ID where any id will do."""


def in_shell(text: str) -> Iterator[list[str]]:
    """Find each call of send-queue in shell text: the words after the name, without redirections and what follows.

    A bare `send-queue`, the name of the package, is no call.

    >>> list(in_shell('NOW=1 send-queue run --json >>log && psql "$(send-queue embedded url)"'))
    [['run', '--json'], ['embedded', 'url']]
    """
    for line in text.replace("\\\n", " ").splitlines():
        for found in re.finditer(r"(?:^|(?<=[\s;|&])|(?P<inner>(?<=\$\()))send-queue(?=\s|$)", line):
            rest = line[found.end() :]
            if words := _words(rest.partition(")")[0] if found["inner"] is not None else rest):
                yield words


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("();<>|&"):
            break
        words.append(word)
    return words


def parse(words: Sequence[str]) -> click.Context:
    """Parse a call as the command would, and say which command it is. Fails where there is no such call."""
    command: click.Command = cli
    context = click.Context(command, info_name="send-queue")
    rest = [AN_ID if word == "ID" else word for word in words]
    options = {name for param in cli.params for name in param.opts} | {"--help"}
    while isinstance(command, click.Group):
        if rest and rest[0] in options:
            rest.pop(0)
        if not rest:
            return context
        name = rest.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"There is no `{context.command_path} {name}`."
        command, context = found, click.Context(found, info_name=name, parent=context)
    try:
        return command.make_context(context.info_name, rest, parent=context.parent)
    except click.ClickException as error:
        raise AssertionError(f"`send-queue {shlex.join(words)}`: {error.format_message()}") from error


def leaves(group: click.Group = cli, path: str = "send-queue") -> Iterator[str]:
    """Name every command that does something: send-queue migrate, send-queue account add, …"""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}"
