"""Whatever is typed, imported or answered: one sentence and a known exit status, nothing run, nothing obeyed, no secret
told.

The command is mostly called in this process, as its `main` calls it, since a process takes half a second to start; what
only a process can show is shown by one.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import signal
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from command_line import leaves
from conftest import Cli, Connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sizes import share

from acceptance.conftest import MONDAY, Queue
from send_queue import store
from send_queue.cli import _status, cli
from send_queue.model import UserError
from send_queue.sandbox import Fault

STATUSES = {0, 1, 2, 69, 78}
"""1 is doctor's, when something is wrong. 70 would be a mistake of ours."""

TESTED_ELSEWHERE = {"sandbox", "demo", "embedded", "metrics", "report"}
"""They serve, start a server, or write to whatever file they are told."""


# --- calling the command ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


class _Stream(io.TextIOWrapper):
    def __init__(self, terminal: bool, errors: str) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors=errors, newline="\n")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


Here = Callable[..., Said]


@pytest.fixture
def here(database: str, monkeypatch: pytest.MonkeyPatch) -> Here:
    """Call the command in this process, with streams such as a process has."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.delenv("SEND_QUEUE_NOW", raising=False)
    monkeypatch.setenv("TERM", "dumb")  # so that all it would obey is of others

    def call(*args: str, terminal: bool = False) -> Said:
        out, err = _Stream(terminal, "strict"), _Stream(terminal, "backslashreplace")
        with redirect_stdout(out), redirect_stderr(err):
            status = _status(list(args))
        for number, handler in handlers.items():
            signal.signal(number, handler)
        return Said(status, out.text(), err.text())

    return call


def well_said(said: Said) -> None:
    """A known status, one sentence where something was refused, and nothing that a terminal would obey."""
    assert said.status in STATUSES, said
    assert "Traceback" not in said.out + said.err
    harmless(said.out + said.err)
    sentences = [line for line in said.err.splitlines() if not line.startswith("send-queue: rehearsing")]
    if said.status > 1 and not said.out.startswith("Usage: "):  # a group without a command shows its help
        assert len(sentences) == 1, said
        assert sentences[0].startswith("send-queue: ")
        assert sentences[0].endswith("."), said


def harmless(text: str) -> None:
    """No character that moves the cursor, colours the screen, or turns the direction of writing."""
    raw = {c for c in text.replace("\r\n", "\n") if c != "\n" and not c.isprintable()}  # lines of CSV end in CR LF
    assert not raw, f"{raw!r} in {text!r}"


# --- command lines ----------------------------------------------------------------------------------------

ODD = [
    "", " ", "-", "--", "none", "null", "0", "-1", "1", "2", "99999999999999999999", "9" * 5000, "1e999", "NaN",
    "inf", "٣", "%s", "{0}", "%(at)s", "$1", "\\", "'", '"', "a b", "\n", "\t", "\x7f", "\udcff", "\ud800", "💥",
    "\u202eevil", "\x9b31m", "'; drop table send_queue; --", "$(touch owned)", "`id`", "| cat /etc/passwd",
    "\x1b]0;owned\x07", "\r\x1b[2K", "1h", "0s", "9999999d", "10/10m", "0/1s", "5+2", "1,2", "999999999/9999999d",
    "mon-fri", "25:00-26:00", "09:00-17:00", "22:00-02:00", "America/New_York", "../../etc/passwd", "/dev/null",
    "UTC", "US", "free", "log", "email", "anna", "fall", "default", "unipile", "account", "lane",
    "2026-11-23T09:00:00Z", "2026-11-23T09:00:00", "2026-11-23", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "00000000-0000-0000-0000-000000000000", "{", "{}", "[]", '{"a": NaN}',
    '{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a":' * 3000, "x" * 100_000, random.Random(1).randbytes(4000).hex(),
]  # fmt: skip
words = st.sampled_from(ODD) | st.text(st.characters(exclude_characters="\0"), max_size=20)
COMMANDS = sorted(path.split()[1:] for path in leaves() if path.split()[1] not in TESTED_ELSEWHERE)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command, some of its options with values that may fit, and now and then something that is none of it."""
    path = draw(st.sampled_from(COMMANDS))
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    args: list[str] = []
    for param in command.params:
        if isinstance(param, click.Argument):
            args += draw(
                st.lists(words, min_size=0 if param.nargs == -1 else 1, max_size=2 if param.nargs == -1 else 1)
            )
        elif draw(st.booleans() if not param.required else st.sampled_from([True, True, True, False])):
            args.append(draw(st.sampled_from(param.opts)))
            if not getattr(param, "is_flag", False):
                args.append(draw(words))
    if draw(st.integers(0, 9)) == 0:
        args.insert(draw(st.integers(0, len(args))), draw(words))
    return [*path, *args]


@given(command_lines())
@settings(max_examples=share(100, 400), deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_no_command_line_is_too_odd(here: Here, args: list[str]) -> None:
    """Any options with any values: done, or refused in one sentence; never our own mistake."""
    here("account", "add", "anna", "--provider", "log")
    here("campaign", "add", "fall", "--account", "anna")
    well_said(here(*args))


@given(st.lists(words, min_size=1, max_size=5))
@settings(max_examples=share(30, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_words_are_too_odd(here: Here, args: list[str]) -> None:
    well_said(here(*args))


@given(words | st.datetimes().map(str) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}[Z+-][0-9:]*\Z"))
@settings(max_examples=share(30, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_moment_to_rehearse_is_too_odd(here: Here, text: str) -> None:
    """SEND_QUEUE_NOW may hold anything that an environment can."""
    with pytest.MonkeyPatch.context() as patch:
        # Of the halves of letters an environment holds those that stand for bytes.
        held = re.sub("[\0\ud800-\udc7f\udd00-\udfff]", "", text)
        patch.setenv("SEND_QUEUE_NOW", held)
        for args in (["run-once"], ["status"], ["prune", "--older-than", "90d"], ["doctor"]):
            well_said(here(*args))


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20,
))  # fmt: skip
@settings(max_examples=share(30, 100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_payload_is_too_odd(here: Here, value: object) -> None:
    """A JSON object that Postgres can hold is stored, all else is refused."""
    here("account", "add", "anna", "--provider", "log")
    here("campaign", "add", "fall", "--account", "anna")
    payload = json.dumps(value)
    said = here("enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "r", "--message", "m",
                "--payload", payload)  # fmt: skip
    well_said(said)
    can_be_held = not any(bad in payload for bad in ("\\u0000", "\\ud", "NaN", "Infinity"))
    if isinstance(value, dict) and can_be_held:
        assert said.status == 0
    if not isinstance(value, dict):
        assert said.status == 2


# --- files ------------------------------------------------------------------------------------------------


@pytest.fixture
def fall(here: Here) -> Here:
    """The command, with an account and a campaign to import into."""
    assert here("account", "add", "anna", "--provider", "log").status == 0
    assert here("campaign", "add", "fall", "--account", "anna").status == 0
    return here


def imported(here: Here, file: Path, content: bytes, *more: str) -> Said:
    """Import a file; whatever it is, it is stored whole or refused, line by line."""
    file.write_bytes(content)
    said = here("import", str(file), "--campaign", "fall", "--channel", "email", "--subject", "Hi", *more)
    assert said.status in (0, 2), said
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) >= (said.status == 2)
    assert all(line.startswith("send-queue: ") for line in said.err.splitlines())
    harmless(said.out + said.err)
    return said


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda rest: b"email,message\n" + rest))
@settings(max_examples=share(50, 150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_too_odd(fall: Here, tmp_path: Path, content: bytes) -> None:
    imported(fall, tmp_path / "people.csv", content)


cells = st.sampled_from(ODD).filter(lambda text: text.isascii() or "\udcff" not in text) | st.text(max_size=10)
COLUMNS = ("email", "message", "name", "priority", "scheduled_for", "expires_at", "timezone", "payload", "dedupe_key",
           "account", "attributes", "line", "", "Ünï cödé", "phone", "linkedin_user_id", "subject")  # fmt: skip


@given(
    st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=8),
    st.lists(st.lists(cells, min_size=1, max_size=8), max_size=4),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE]), st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
)  # fmt: skip
@settings(max_examples=share(50, 200), deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_no_table_is_too_odd(
    fall: Here, tmp_path: Path, header: list[str], rows: list[list[str]], quoting: Any, delimiter: str, newline: str,
    encoding: str,
) -> None:  # fmt: skip
    """Odd quoting, wrong encodings, cells that are anything."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=newline, escapechar="\\")
    writer.writerow(["email", "message", *header][: len(header) + 2])
    writer.writerows(["a@example.org", "hello", *row] for row in rows)
    imported(fall, tmp_path / "people.csv", text.getvalue().encode(encoding, "replace"))


HEAD = b"email,message,name\n"
FILES: dict[str, tuple[bytes, str | None]] = {
    "nothing": (b"", "no column"),
    "a mark and nothing": (b"\xef\xbb\xbf", "no column"),
    "no people": (HEAD, None),
    "a field of a megabyte": (HEAD + b"a@b.c," + b"x" * 1_000_000 + b",n\n", "field larger"),
    "10,000 columns": (b"email,message," + b",".join(b"c%d" % n for n in range(10_000)) + b"\na@b.c,m"
                       + b",v" * 10_000 + b"\n", None),
    "10,000 columns alike": (b"email,message," + b"c," * 10_000, None),
    "NULs": (HEAD + b"a@b.c,he\0llo,n\n", "NUL"),
    "NULs in the header": (b"email,message,na\0me\na@b.c,m,n\n", None),
    "UTF-16": ("email,message\na@b.c,m\n".encode("utf-16"), None),
    "Latin-1": (HEAD + "a@b.c,m,Zoé\n".encode("latin-1"), None),
    "half a pair": (HEAD + b"a@b.c,m,\xed\xa0\x80\n", "is not text in utf-8"),
    "a quote that stays open": (HEAD + b'a@b.c,"m,n\n' * 3, "cannot be read as CSV"),
    "a quote in the middle": (HEAD + b'a@b.c,"m"x,n\n', "cannot be read as CSV"),
    "carriage returns": (b"email,message\ra@b.c,m\r", None),
    "too few fields": (HEAD + b"a@b.c\n", "1 field,"),
    "an address of 100 KB": (
        HEAD + random.Random(2).randbytes(50_000).hex().encode() + b"@b.c,m,n\n", "use 2000 at the most",
    ),
    "a payload too deep": (b"email,message,payload\na@b.c,m," + b'"{""a"":' * 1 + b"[" * 50_000 + b'"\n', "payload"),
    "a year far away": (b"email,message,scheduled_for\na@b.c,m,9999-12-31T23:59:59-14:00\n", "beyond the calendar"),
    "an archive": (b"PK\x03\x04" + bytes(range(256)) * 20, "cannot be read as an Excel workbook"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_odd_files(fall: Here, conn: Connection, tmp_path: Path, kind: str) -> None:
    """Stored whole, or refused with what is wrong; nothing in between."""
    content, wrong = FILES[kind]
    said = imported(fall, tmp_path / "people.csv", content)
    assert (said.status == 2) == (wrong is not None), said
    assert (wrong or "") in said.err
    if wrong:
        assert conn.execute("select count(*) from send_queue").fetchone() == (0,)


# --- what others wrote, shown -----------------------------------------------------------------------------

NASTY = [
    "\x1b]0;owned\x07\x1b[2J\x1b[31m", "\rsend-queue: All is well.", "\u202egnp.exe\u2066", "\x9b31m\x85\x90",
    "\u2028\u2029\ufeff", "'; drop table send_queue; --", "$(touch owned)`touch owned`; touch owned",
    "%s %(at)s {0} {message}", "2026-01-01T00:00 or so", "2026-13-45T99:99:99+00:00", "a\tb\nc",
]  # fmt: skip


@pytest.mark.parametrize("terminal", [False, True], ids=["for cron", "on a terminal"])
@pytest.mark.parametrize("nasty", NASTY)
def test_what_others_wrote_is_stored_as_it_is_and_shown_harmlessly(
    here: Here, conn: Connection, tmp_path: Path, nasty: str, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, reasons, recipients and messages may hold SQL, shell and escape sequences: they are text."""
    monkeypatch.chdir(tmp_path)
    said: list[Said] = []

    def run(*args: str) -> Said:
        said.append(here(*args, terminal=terminal))
        return said[-1]

    run("workspace", "add", nasty)
    run("schedule", "add", nasty, "--timezone", "UTC", "--hours", "00:00-24:00", "--days", "mon-sun")
    run("account", "add", nasty, "--provider", "log", "--workspace", nasty, "--schedule", nasty)
    run("campaign", "add", nasty, "--account", nasty, "--workspace", nasty)
    run("lane", "set", nasty, "log", "--daily-cap", "2")
    run("limit", "add", "--account", nasty, "9/1h")
    for n in range(4):
        run("enqueue", "--campaign", nasty, "--channel", "log", "--recipient", f"x{nasty}{n}", "--message", nasty,
            "--literal", "--subject", nasty, "--dedupe-key", f"{nasty}{n}",
            "--payload", json.dumps({"k": nasty}))  # fmt: skip
    run("enqueue", "--campaign", nasty, "--channel", "log", "--recipient", "r", "--message", nasty, "--literal",
        "--dedupe-key", f"{nasty}0")  # fmt: skip
    assert [done.status for done in said] == [0] * len(said)
    run("run-once")
    run("pause", "lane", nasty, "log", "--reason", nasty)
    run("run-once", "--json")
    [send_id] = conn.execute("select id::text from send_queue where status = 'pending' limit 1").fetchone() or ("",)
    [sent_id] = conn.execute("select id::text from send_queue where status = 'sent'").fetchone() or ("",)
    for args in (
        ["status"], ["list"], ["show", send_id], ["show", sent_id], ["explain", send_id], ["run-once"],
        ["run-once", "--dry-run"], ["workspace", "list"], ["account", "list"], ["account", "show", nasty],
        ["campaign", "list"], ["campaign", "show", nasty], ["schedule", "list"], ["schedule", "show", nasty],
        ["lane", "list"], ["lane", "show", nasty, "log"], ["limit", "list"], ["doctor"],
        ["list", "--account", nasty], ["list", "--campaign", nasty],
        ["report", "-o", str(tmp_path / "page.html")],
    ):  # fmt: skip
        assert run(*args).status in (0, 1), said[-1]
        args = args[: args.index("-o")] if "-o" in args else args
        assert run(*args, "--json").status in (0, 1), said[-1]
        json.loads(said[-1].out)
    harmless(re.sub(r"[\n\t]", " ", (tmp_path / "page.html").read_text()))
    for args in (
        ["account", "add", nasty, "--provider", "log", "--workspace", nasty], ["account", "show", nasty + "2"],
        ["account", "add", "x", "--provider", nasty], ["campaign", "show", nasty + "2"], ["list", "--status", nasty],
        ["explain", nasty], [f"--{nasty}"], [nasty], ["lane", "set", nasty, nasty], ["limit", "add", nasty],
        ["run-once", "--campaign", nasty + "2"], ["pause", "lane", nasty, nasty], ["settle", sent_id, "--sent"],
        ["enqueue", "--campaign", nasty, "--channel", nasty, "--recipient", "r", "--message", "m"],
        ["import", nasty, "--campaign", nasty, "--channel", "log"],
    ):  # fmt: skip
        assert run(*args).status == 2, said[-1]
    file = tmp_path / f"{nasty.replace('/', '')[:20]}.csv"
    file.write_text(f'recipient,message,priority\nr,"{nasty}","{nasty}"\n', encoding="utf-8", newline="")
    wrong = here("import", str(file), "--campaign", nasty, "--channel", "log")  # on a terminal it has a progress bar
    assert wrong.status == 2
    harmless(wrong.out + wrong.err)
    run("resume", "lane", nasty, "log")
    run("cancel", "--campaign", nasty)

    for done in said:
        well_said(done)
    assert conn.execute("select distinct message, subject, payload ->> 'k' from send_queue").fetchall() == [
        (nasty,) * 3
    ]
    assert conn.execute("select count(*) from send_queue").fetchone() == (4,)
    assert not (tmp_path / "owned").exists()


def test_a_process_shows_it_harmlessly_too(cli: Cli, queue: Queue) -> None:
    """The same through a real process, in the plain environment of cron, and without UTF-8."""
    nasty = "".join(NASTY)
    cli("account", "add", nasty, "--provider", "log")
    cli("campaign", "add", "fall", "--account", nasty)
    cli(
        "enqueue", "--campaign", "fall", "--channel", "log", "--recipient", f"x{nasty}", "--message", nasty, "--literal"
    )
    for env in ({}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii:backslashreplace"}):
        for args in (["status"], ["list"], ["list", "--json"], ["account", "show", "nobody" + nasty]):
            done = cli(*args, env=env, check=False)
            assert done.returncode in (0, 2)
            harmless(done.stdout + done.stderr)
    done = cli("run-once")
    harmless(done.stdout + done.stderr)
    assert queue.statuses() == {"sent": 1}


def test_a_stream_that_cannot_show_a_name_is_no_mistake_of_ours(cli: Cli) -> None:
    """An ASCII terminal is told in escapes, or in one sentence; never in a traceback."""
    cli("account", "add", "Zoë 💥", "--provider", "log")
    done = cli("account", "list", env={"PYTHONIOENCODING": "ascii"}, check=False)
    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr


# --- secrets ----------------------------------------------------------------------------------------------

PASSWORD = "pl4nted-p4ss"
KEY = "pl4nted-k3y-of-unipile"
BODY = "pl4nted m3ssage body"
URLS = [
    f"postgresql://me:{PASSWORD}@127.0.0.1:1/x",
    f"postgresql//me:{PASSWORD}@127.0.0.1/x",
    f"postgres:/me:{PASSWORD}@127.0.0.1/x",
    f"postgresql://me:{PASSWORD}/slash@127.0.0.1:1/x",
    f"postgresql://me:at@{PASSWORD}@127.0.0.1:1/x",
    f"postgresql://me:%zz{PASSWORD}@127.0.0.1:1/x",
    f"postgresql://me:{PASSWORD}#hash@127.0.0.1:1/x",
    f"postgresql://me:{PASSWORD}:colon@[::1]:1/x",
    f"postgresql://me@127.0.0.1:1/x?password={PASSWORD}",
    f"postgresql://me@127.0.0.1:1/x?password={PASSWORD}&oops",
    f"host=127.0.0.1 port=1 password={PASSWORD}",
    f"host=127.0.0.1 port=1 password='{PASSWORD} and more",
    f"host=127.0.0.1 port=1 password = '{PASSWORD}\\' more' oops",
    f"host=127.0.0.1 port=1 password={PASSWORD} stray",
]


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_not_told_where_the_database_cannot_be_reached(
    here: Here, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Also where the connection string is written wrongly, and libpq quotes the part that it stumbled over."""
    monkeypatch.setenv("DATABASE_URL", url)
    for args in (["run-once"], ["status", "--json"], ["doctor"], ["migrate"]):
        said = here(*args)
        well_said(said)
        assert said.status in (69, 78)
        untold(said.out + said.err)
    with pytest.raises(UserError) as error:
        here("--debug", "run-once")
    untold("".join(traceback.format_exception(error.value)))


def test_a_password_is_not_told_by_a_process(cli: Cli) -> None:
    """Nor by the traceback of --debug, which the interpreter prints."""
    for url in (URLS[0], URLS[1]):
        done = cli("--debug", "run-once", env={"DATABASE_URL": url}, check=False)
        assert "Traceback" in done.stderr
        untold(done.stdout + done.stderr)


def untold(text: str) -> None:
    for secret in (PASSWORD, KEY, BODY):
        assert secret not in text
        for piece in ("p4ss", "k3y", "m3ssage"):
            assert piece not in text


def written(conn: Connection) -> str:
    """All that is in the tables, but for the messages themselves."""
    text = ""
    for (table,) in conn.execute("select tablename from pg_tables where schemaname = 'public'").fetchall():
        for (row,) in conn.execute(f"select to_jsonb(t) from {table} t".encode()).fetchall():  # noqa: S608 — our names
            if table == "send_queue":
                del row["message"]
            text += json.dumps(row)
    return text


SAYING_IT = f'You sent {{"key": "{KEY}", "message": "{BODY}"}}'
ANSWERS = [
    *(Fault(status=status, type=kind, title=f"Wrong {SAYING_IT}", detail=SAYING_IT)
      for status, kind in [(400, "invalid_parameters"), (401, "missing_credentials"), (401, "disconnected_account"),
                           (403, "insufficient_permissions"), (404, "resource_not_found"),
                           (422, "cannot_resend_yet"), (422, "never_heard_of"), (429, "too_many_requests"),
                           (500, "unexpected_error"), (503, "no_client_session")]),
    *(Fault(status=status, body=SAYING_IT, headers={"content-type": "text/html"}) for status in (200, 400, 401, 500)),
    Fault(status=201, body=f'{{"object": "{KEY}", "invitation_id": 5}}'),
    Fault(drop="after"),
]  # fmt: skip


@pytest.mark.parametrize("own", [False, True], ids=["the key", "its own key"])
@pytest.mark.parametrize("fault", ANSWERS, ids=[f"{f.status} {f.type or ''}" for f in ANSWERS])
def test_a_provider_that_echoes_a_secret_does_not_make_us_tell_it(
    here: Here, queue: Queue, monkeypatch: pytest.MonkeyPatch, fault: Fault, own: bool
) -> None:
    """Not the key, not the message: not in an error_message, not in what is printed. Be the key for all, or the
    account's own."""
    variable = "ANNA_KEY" if own else "UNIPILE_API_KEY"
    for name, value in {**queue.env, variable: KEY}.items():
        monkeypatch.setenv(name, value)
    queue.ready(rows=2)
    if own:
        queue.put("account", "anna", adding=False, secret_env=variable)
    queue.conn.execute("update send_queue set message = %s", (BODY,))
    queue.sandbox.order(fault)
    monkeypatch.setenv("SEND_QUEUE_NOW", MONDAY.isoformat())
    told = ""
    for args in (["run"], ["run-once", "--json"], ["status"], ["list"], ["list", "--json"], ["doctor"]):
        said = here(*args)
        assert said.status in (0, 1, 78), said
        told += said.out + said.err
    untold(told)
    untold(written(queue.conn))
    told = here("list", "--json").out
    for row in json.loads(told):
        untold(here("explain", row["id"]).out)


@pytest.mark.parametrize(
    "env",
    [
        {"UNIPILE_API_KEY": f"{KEY}é"},
        {"UNIPILE_API_KEY": f"{KEY}\nmore"},
        {"UNIPILE_DSN": f"http://me:{PASSWORD}@unipile.invalid"},
        {"UNIPILE_DSN": f"https://me:{PASSWORD}@127.0.0.1:1"},
        {"UNIPILE_DSN": f"https://127.0.0.1:1/?key={KEY}"},
        {"UNIPILE_DSN": f"https://{KEY} 127.0.0.1:1"},
        {"HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:1", "UNIPILE_DSN": "https://unipile.invalid"},
        {"HTTPS_PROXY": f"nonsense://me:{PASSWORD}@127.0.0.1:1", "UNIPILE_DSN": "https://unipile.invalid"},
    ],
    ids=lambda env: "+".join(env),
)
def test_a_secret_that_is_set_wrongly_is_not_told(
    here: Here, queue: Queue, monkeypatch: pytest.MonkeyPatch, env: dict[str, str]
) -> None:
    """What is wrong is said by the name of the variable."""
    for name, value in {**queue.env, "UNIPILE_API_KEY": KEY, **env}.items():
        monkeypatch.setenv(name, value)
    queue.ready()
    queue.conn.execute("update send_queue set message = %s", (BODY,))
    for args in (["run-once"], ["run-once", "--json"], ["doctor"]):
        said = here(*args)
        assert said.status in (0, 1, 78), said
        untold(said.out + said.err)
    try:
        said = here("--debug", "run-once")
        untold(said.out + said.err)
    except Exception as error:
        untold("".join(traceback.format_exception(error)))
    untold(written(queue.conn))


def test_what_a_constraint_refuses_is_not_quoted(queue: Queue) -> None:
    """Postgres adds the row to what it says, the message with it; a traceback has none of that."""
    [send_id] = queue.ready()
    with pytest.raises(UserError) as error, store.translate_errors():
        queue.conn.execute("update send_queue set message = %s, attempts = -1 where id = %s", (BODY, send_id))
    said = "".join(traceback.format_exception(error.value))
    assert "attempts are not negative" in said
    untold(said)


def test_a_message_is_not_told_when_it_cannot_be_stored(fall: Here, tmp_path: Path) -> None:
    """Nor by --debug, nor in what a COPY says that it stumbled over."""
    file = tmp_path / "people.csv"
    file.write_text(f'email,message,payload\na@example.org,{BODY},"{{""a"": ""\\ud800""}}"\n', encoding="utf-8")
    for args in (["import", str(file), "--campaign", "fall", "--channel", "email", "--subject", "Hi"],
                 ["enqueue", "--campaign", "fall", "--channel", "linkedin_invite", "--recipient", "r", "--message",
                  BODY * 100],
                 ["enqueue", "--campaign", "fall", "--channel", "log", "--recipient", "r", "--message", BODY,
                  "--payload", '{"a": "\\u0000"}']):  # fmt: skip
        said = fall(*args)
        assert said.status == 2, said
        untold(said.out + said.err)
        with pytest.raises((UserError, psycopg.Error, click.ClickException)) as error:
            fall("--debug", *args)
        untold("".join(traceback.format_exception(error.value)))
