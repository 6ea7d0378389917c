"""The documents are true: their commands run, their SQL runs, their tables are the code's own, their links lead
somewhere."""

from __future__ import annotations

import dataclasses
import re
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, get_args
from unittest.mock import ANY
from uuid import UUID

import psycopg
import pytest
from command_line import in_shell, leaves, parse
from conftest import Cli, Connection
from psycopg.types.json import Jsonb

from acceptance.conftest import DAY, HOUR, MINUTE, MONDAY, Queue
from send_queue.cli import cli as command
from send_queue.core.explain import REASONS
from send_queue.model import CHANNELS, Claimed, ConfigurationError, Failed, Outcome, Retry, Rule, UserError
from send_queue.providers.meaning import Meaning
from send_queue.providers.networks import bluesky, facebook, linkedin_posts, mastodon, x
from send_queue.providers.unipile.errors import MEANINGS
from send_queue.sandbox import Fault, Sandbox
from send_queue.testing import CHECKS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = [README, *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(path.read_text() for path in DOCS)

NOT_RUN = {
    "sandbox": "it serves until it is stopped; test_sandbox starts it",
    "embedded": "it would start another server; test_embedded does",
    "demo": "it takes long, and has a test of its own",
}
"""Commands of the documents that are read only, and why."""


class Block(NamedTuple):
    """A fenced block of a document."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


def blocks(*languages: str, among: list[Path] = DOCS) -> list[Block]:
    found = []
    for path in among:
        text = path.read_text()
        for fence in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if fence[1] in languages:
                found.append(Block(path, text.count("\n", 0, fence.start()) + 1, fence[1], fence[2]))
    return found


def block(path: str, language: str, nth: int = 0) -> str:
    return blocks(language, among=[ROOT / path])[nth].text


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def rows(path: str, heading: str, depth: int = 2) -> list[list[str]]:
    """The cells of all tables below a heading of that depth, headers left out."""
    _, _, section = (ROOT / path).read_text().partition(f"\n{'#' * depth} {heading}\n")
    section = re.split(rf"\n#{{2,{depth}}} ", section)[0]
    lines = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    found = [[cell.strip() for cell in line.split(" | ")] for line in lines]
    return [
        cells for i, cells in enumerate(found) if "---" not in lines[i] and "---" not in "".join(lines[i + 1 : i + 2])
    ]


def named(text: str) -> set[str]:
    """What stands in backticks."""
    return set(re.findall(r"`([^`]+)`", text))


# --- commands ---------------------------------------------------------------------------------------------


def calls() -> list[tuple[str, list[str]]]:
    """Every call in a block of shell, and every one in the running text that is more than a name."""
    found = []
    for b in blocks("sh", "crontab"):
        found += [(str(b), words) for words in in_shell(b.text)]
    for path in DOCS:
        spans = re.findall(r"`([^`]+)`", prose(path))
        found += [(path.name, words) for span in spans for words in in_shell(" ".join(span.split()))]
    return found


@pytest.mark.parametrize(
    ("where", "words"), calls(), ids=lambda value: " ".join(value) if list is type(value) else value
)
def test_a_command_of_the_documents_can_be_read(where: str, words: list[str]) -> None:
    """Each `send-queue …` of README and docs is a command that exists, with options and values that it takes."""
    try:
        parse(words)
    except AssertionError as error:
        bare = "Missing" in str(error) and not any(word.startswith("-") for word in words)
        if where.partition(":")[1] or not bare:  # in the running text a command may just be named
            raise


def test_every_command_is_in_the_documents() -> None:
    """docs/operations.md lists each command and no other."""
    listed = {
        f"send-queue {name} {verb}".strip()
        for names, verbs in rows("docs/operations.md", "Every command")
        for name in named(names)
        for verb in named(verbs) or {""}
    }
    assert listed == set(leaves())


def to_run() -> list[tuple[str, str, list[str]]]:
    found = []
    for b in blocks("sh", among=[path for path in DOCS[1:] if path.name != "linkedin.md"]):
        if b.text == block("docs/operations.md", "sh", -1):
            continue  # the list of all commands, which runs as a whole
        for line in b.text.replace("\\\n", " ").splitlines():
            found += [(str(b), line, words) for words in in_shell(line) if words[0] not in NOT_RUN]
    return found


@pytest.mark.parametrize(
    ("where", "line", "words"), to_run(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_command_of_the_documents_runs(
    where: str, line: str, words: list[str], stocked: Queue, in_its_place: Callable[..., None]
) -> None:
    """The examples of the docs do something to a queue of the names that they use."""
    ids = {"settle": "uncertain", "retry": "failed", "limit": "limit"}
    wanted = ids.get(words[0], "pending")
    now = re.search(r"SEND_QUEUE_NOW=(\S+)", line)
    in_its_place(now=now[1] if now else (MONDAY + HOUR).isoformat())
    words = [some_id(stocked.conn, wanted) if word == "ID" else word for word in words]
    try:
        assert command.main(words, standalone_mode=False) in (None, 0)
    except UserError as error:
        pytest.fail(f"{where}: {line}: {error}")


@pytest.mark.usefixtures("conn")
def test_every_command_of_the_list_runs_in_its_order(in_its_place: Callable[..., None]) -> None:
    """After the README's first campaign."""
    in_its_place(now=(MONDAY + HOUR).isoformat())
    for words in in_shell(block("README.md", "sh")):
        if words[-1] != "ID":
            assert command.main(words, standalone_mode=False) in (None, 0)
    for words in in_shell(block("docs/operations.md", "sh", -1)):
        try:
            assert command.main(words, standalone_mode=False) in (None, 0), words
        except UserError as error:
            pytest.fail(f"{words}: {error}")


def test_the_first_campaign_of_the_readme_runs(
    cli: Cli, empty_database: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten lines lead from an empty database to a message that the provider has accepted, and to why the next waits."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(block("README.md", "csv"))
    script = block("README.md", "sh")
    env = {"DATABASE_URL": empty_database, "UNIPILE_DSN": sandbox.url, "UNIPILE_API_KEY": "any"}
    assert set(re.findall(r"(\w+)=", "".join(re.findall(r"(?m)^export .*", script)))) == set(env)
    lines = list(in_shell(script))
    assert len(lines) == 10

    said: dict[str, str] = {}
    for n, words in enumerate(lines):
        send_id = pending_id(said["list"]) if "list" in said else "ID"
        words = [send_id if word == "ID" else word for word in words]
        said[" ".join(words[:3])] = said[words[0]] = cli(*words, env=env, now=MONDAY + n * MINUTE).stdout

    assert said["run-once --dry-run"] == "Would send linkedin_invite from anna to ACoAAAexample1.\n"
    assert [entry["recipient"] for entry in sandbox.accepted()] == ["ACoAAAexample1"]
    assert said["run-once"].startswith("1 sent to ACoAAAexample1")
    assert "min_gap" in said["explain"]


def test_the_steps_for_linkedin_run(
    cli: Cli, empty_database: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/linkedin.md leads, command by command, from a list to a report; a stopped person gets nothing more."""
    monkeypatch.chdir(tmp_path)
    for name in ("people.csv", "accepted.csv", "fair.csv"):
        (tmp_path / name).write_text(block("docs/linkedin.md", "csv"))
    env = {"DATABASE_URL": empty_database, "UNIPILE_DSN": sandbox.url, "UNIPILE_API_KEY": "any"}
    lines = [words for b in blocks("sh", among=[ROOT / "docs/linkedin.md"]) for words in in_shell(b.text)]
    assert {words[0] for words in lines} >= {"migrate", "import", "forecast", "run-once", "status", "report"}
    said: dict[str, str] = {}
    for n, words in enumerate(lines):  # doctor exits with 1: the server of the tests has no autovacuum
        done = cli(*words, env=env, now=MONDAY + n * MINUTE, check=words[0] != "doctor")
        said[words[0]] = said[" ".join(words[:3])] = done.stdout
    assert [(entry["channel"], entry["text"]) for entry in sandbox.accepted()] == [
        ("linkedin_invite", "Hi Ada, I follow Analytical Engines.")
    ]
    assert " sent " in said["list"]
    assert said["suppress"].endswith("One waiting send is skipped.\n")
    assert said["import accepted.csv --campaign"].startswith("2 enqueued")
    assert said["import fair.csv --campaign"].startswith("1 enqueued")
    assert said["reassign"].startswith("0 moved from ben to lena")
    assert "lena" in (tmp_path / "week.html").read_text()


def pending_id(listing: str) -> str:
    [line] = [line for line in listing.splitlines() if " pending " in line]
    return line.split()[0]


def test_the_crontab_line_of_the_readme_is_the_one_of_the_example() -> None:
    """A reader who goes on to crontab.example finds the line again."""
    assert block("README.md", "crontab").strip() in (ROOT / "crontab.example").read_text()


# --- SQL --------------------------------------------------------------------------------------------------


GRANTS = next(b for b in blocks("sql") if b.text.startswith("grant"))
"""Roles belong to the whole server: this block has a test of its own."""


@pytest.mark.parametrize("sql", [b for b in blocks("sql") if b != GRANTS], ids=str)
def test_sql_of_the_documents_runs(sql: Block, stocked: Queue) -> None:
    """Each statement runs as it stands, with the id of such a row for 'ID'; one that changes something does."""
    conn = stocked.conn
    for statement in statements(sql.text):
        status = re.search(r"(?s)\bwhere\b.*\bstatus\b\s*(?:=|in \()\s*'(\w+)'", statement)
        if "'ID'" in statement:
            statement = statement.replace("'ID'", f"'{some_id(conn, status[1] if status else 'failed')}'")
        done = conn.execute(statement.encode())
        if re.match(r"(?i)\s*(update|insert)\b", bare(statement)):
            assert done.rowcount > 0, statement


@pytest.mark.parametrize("status", ["sending", "sent"])
def test_what_the_documents_say_is_refused_is_refused(status: str, stocked: Queue) -> None:
    """By hand nobody makes a row pending that is in flight, or has gone out: it would go twice."""
    update = "update send_queue set status = 'pending', lease_expires_at = null, claimed_by = null, sent_at = null"
    with pytest.raises(psycopg.Error, match="is in flight" if status == "sending" else "was sent") as refused:
        stocked.conn.execute(f"{update} where status = '{status}'".encode())
    assert refused.value.sqlstate == "SQ006"


def statements(text: str) -> Iterator[str]:
    for part in re.split(r";[ \t]*(?:--[^\n]*)?(?:\n|$)", text):
        if bare(part).strip():
            yield part


def bare(statement: str) -> str:
    return re.sub(r"--[^\n]*", "", statement).lstrip()


def test_the_roles_of_the_documents_are_enough(empty_database: str, cli: Cli) -> None:
    """A member of the owner's role steers and looks, a worker sends and looks, and an application enqueues."""
    suffix = empty_database.rpartition("/")[2].partition("?")[0]
    roles = {name: f"{name}_{suffix}" for name in ("send_owner", "ada", "send_worker", "send_app")}
    grants = GRANTS.text

    def as_role(name: str, *words: str) -> str:
        as_it = f"{'&' if '?' in empty_database else '?'}options=-crole%3D{roles[name]}"
        return cli(*words, env={"DATABASE_URL": empty_database + as_it}, now=MONDAY + HOUR).stdout

    with psycopg.connect(empty_database, autocommit=True) as conn:
        for name, role in roles.items():
            conn.execute(f"create role {role}".encode())
            grants = re.sub(rf"\b{name}\b", role, grants)
        try:
            conn.execute(f"grant create on schema public to {roles['send_owner']}".encode())
            conn.execute(grants.encode())
            as_role(
                "send_owner", "migrate", "--grant-worker", roles["send_worker"], "--grant-enqueue", roles["send_app"]
            )
            as_role("ada", "account", "add", "anna", "--provider", "log")
            as_role("ada", "campaign", "add", "fall", "--account", "anna")
            message = ("--campaign", "fall", "--channel", "log", "--recipient", "you", "--message", "hi")
            for _ in range(3):
                send_id = as_role("send_app", "enqueue", *message).split()[0]
            as_role("send_worker", "run-once")
            for words in (["status"], ["list"], ["show", send_id], ["explain", send_id]):
                assert as_role("send_worker", *words) == as_role("ada", *words)
            as_role("ada", "pause", "account", "anna")
            as_role("ada", "prune", "--older-than", "0d")
        finally:
            for role in roles.values():
                conn.execute(f"drop owned by {role} cascade; drop role {role}".encode())


@pytest.mark.parametrize("code", blocks("python", among=[ROOT / "docs/sql.md"]), ids=str)
def test_python_of_the_documents_enqueues(code: Block, stocked: Queue, database: str) -> None:
    """Each Python example puts one message in, and commits it."""
    before = count(stocked.conn)
    exec(compile(code.text, str(code), "exec"), {"DATABASE_URL": database})
    assert count(stocked.conn) == before + 1


@pytest.mark.parametrize("code", blocks("js"), ids=str)
def test_sql_within_another_language_enqueues(code: Block, stocked: Queue) -> None:
    """The statement in the Node example can be prepared, and puts one message in."""
    [call] = re.findall(r"[`'](select [^`']*send_enqueue\([^`']*\))[`']", code.text)
    values = ["'fall'", "'linkedin_invite'", "'ACoAAAexample6'", "'Hi Barbara'", "'lead:4711'"]
    before = count(stocked.conn)
    stocked.conn.execute(f"prepare example as {call}".encode())
    stocked.conn.execute(f"execute example({', '.join(values[: call.count('$')])})".encode())
    assert count(stocked.conn) == before + 1


def count(conn: Connection) -> int:
    [[n]] = conn.execute("select count(*)::int from send_queue").fetchall()
    assert isinstance(n, int)
    return n


def test_the_columns_of_the_views_are_those_of_the_documents(conn: Connection) -> None:
    """docs/sql.md names each view and its columns, in order."""
    there = conn.execute(
        "select table_name, string_agg(column_name, ', ' order by ordinal_position) from information_schema.columns"
        " join pg_views v on v.viewname = table_name and v.schemaname = table_schema"
        " where table_schema = current_schema() group by 1"
    ).fetchall()
    assert {view.strip("`"): columns for view, _, columns in rows("docs/sql.md", "The views")} == dict(there)


def test_every_table_is_in_the_documents(conn: Connection) -> None:
    """docs/sql.md names each table and no other."""
    there = {name for (name,) in conn.execute("select tablename from pg_tables where schemaname = current_schema()")}
    assert set().union(*(named(cells[0]) for cells in rows("docs/sql.md", "The tables"))) == there


def test_the_arguments_of_send_enqueue_are_those_of_the_documents(conn: Connection) -> None:
    """docs/sql.md names each argument, in order, and each channel."""
    [[names]] = conn.execute("select proargnames[1:pronargs] from pg_proc where proname = 'send_enqueue'").fetchall()
    table = rows("docs/sql.md", "Putting a message in")
    documented = [name.strip("`") for name, _ in table]
    assert sorted(documented) == sorted(names)
    assert documented[:4] == names[:4]
    assert named(table[1][1]) == set(CHANNELS)


# --- words ------------------------------------------------------------------------------------------------


def test_statuses_reasons_and_rules_are_all_explained() -> None:
    """docs/operations.md says of each status, reason and rule what it means, and of no other."""
    [statuses] = re.findall(r"constraint status_is_known check \(status in \(([^)]*'uncertain')\)\)", migrations())
    assert first_column("Statuses") == set(re.findall(r"\w+", statuses))
    assert first_column("Reasons") == {*REASONS.values(), "no_messages_due"}
    assert first_column("Holds") == set(get_args(Rule))


def first_column(heading: str) -> set[str]:
    return set().union(*(named(cells[0]) for cells in rows("docs/operations.md", heading)))


def migrations() -> str:
    return "".join(path.read_text() for path in sorted((ROOT / "sql/migrations").iterdir()))


def test_exit_statuses_are_those_of_the_code() -> None:
    """docs/operations.md lists what the command exits with."""
    source = (ROOT / "send_queue/cli/__init__.py").read_text() + (ROOT / "send_queue/model.py").read_text()
    used = {int(n) for n in re.findall(r"(?:return|exit_status =) (\d+)$", source, re.MULTILINE)}
    assert {int(cells[0]) for cells in rows("docs/operations.md", "Cron")} == used


def test_faults_of_the_sandbox_are_all_explained() -> None:
    """docs/sandbox.md has each field of a fault, and each op and no other."""
    told = set().union(*(named(cells[0]) for cells in rows("docs/sandbox.md", "Faults")))
    assert {field.name for field in dataclasses.fields(Fault)} - {"type", "title", "detail", "body", "headers"} <= told
    with pytest.raises(ValueError, match="The sandbox has no op nothing: use one of ") as refused:
        Sandbox(Path("nowhere"), faults=[Fault(op="nothing")])
    ops = set(str(refused.value).partition(": use one of ")[2].rstrip(".").split(", "))
    assert set().union(*(named(cells[1]) for cells in rows("docs/sandbox.md", "What is asked for", depth=3))) == ops


def test_outcomes_are_all_explained() -> None:
    """docs/providers.md has each outcome."""
    names = {outcome.__name__ for outcome in get_args(Outcome)}
    assert names <= {cells[0].strip("`") for cells in rows("docs/providers.md", "Outcomes")}


@pytest.mark.parametrize(
    ("code", "meaning"), MEANINGS.items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_the_documents_say_of_an_error_of_unipiles_is_what_the_code_does(code: str, meaning: Meaning) -> None:
    """Each error type is in the row of docs/providers.md that its meaning asks for."""
    stated = [outcome for outcome, types in rows("docs/providers.md", "Unipile") if code in named(types)]
    assert in_words(meaning) in stated


POSTING = {"Mastodon": mastodon.MEANINGS, "Bluesky": bluesky.MEANINGS, "LinkedIn": linkedin_posts.MEANINGS,
           "X": x.MEANINGS, "Facebook": facebook.MEANINGS}  # fmt: skip


@pytest.mark.parametrize("network", POSTING)
def test_what_the_documents_say_of_a_networks_errors_is_what_the_code_does(network: str) -> None:
    """Each error stands once in the network's table of docs/posts.md, in the row that its meaning asks for."""
    stated: dict[str, str] = {}
    for outcome, errors in rows("docs/posts.md", network, depth=3):
        for span in re.findall(r"`code_(\d+)` to `code_(\d+)`", errors):
            stated |= {f"code_{n}": outcome for n in range(int(span[0]), int(span[1]) + 1)}
        stated |= dict.fromkeys(named(errors), outcome)
    assert stated.keys() == POSTING[network].keys()
    assert {
        code: None for code, meaning in POSTING[network].items() if not stated[code].startswith(posted(meaning))
    } == {}


def posted(meaning: Meaning) -> str:
    if meaning.kind != "hold":
        return {"already_done": "`AlreadyDone`", "expired": "Expired", "odd": "Odd"}.get(
            meaning.kind, f"`{meaning.kind.title()}`"
        )
    if meaning.after is None:
        return f"`Hold` of the {meaning.scope} until a person acts"
    if meaning.after == DAY and meaning.scope == "lane":
        return "`Hold` of the lane until midnight UTC"
    ladder = f", doubling up to {meaning.ceiling // MINUTE} min" if meaning.ceiling else ""
    return f"`Hold` of the {meaning.scope}, {meaning.after // MINUTE} min{ladder}"


def in_words(meaning: Meaning) -> str:
    if meaning.kind != "hold":
        return {"already_done": "`AlreadyDone`", "failed": "`Failed`", "uncertain": "`Uncertain`"}[meaning.kind]
    if meaning.after is None:
        return f"`Hold` of the {meaning.scope} until a person acts"
    ladder = f", doubling up to {hours(meaning.ceiling)}" if meaning.ceiling else ""
    return f"`Hold` of the {meaning.scope}, {hours(meaning.after)}{ladder}"


def hours(length: timedelta) -> str:
    return f"{length // HOUR} h" if length >= HOUR else f"{length // MINUTE} min"


PIGEON = (ROOT / "examples/pigeon_post.py").read_text()
"""The example of a provider, which docs/providers.md names."""


def test_the_provider_of_the_documents_is_one() -> None:
    """The example provider can be registered, says what it lacks, and answers with an outcome."""
    entry = tomllib.loads(block("docs/providers.md", "toml"))["project"]["entry-points"]
    names: dict[str, Any] = {"__name__": "pigeon_post"}
    exec(compile(PIGEON, "pigeon_post", "exec"), names)
    [(module, _, name)] = [target.partition(":") for target in entry["send_queue.providers"].values()]
    pigeon = names[name]
    assert module == "pigeon_post"
    assert entry_points(group="send_queue.providers").names >= {"unipile", "log"}

    with pytest.raises(ConfigurationError):
        pigeon({})
    nobody = pigeon({"PIGEON_BASE_URL": "http://127.0.0.1:1"})
    assert nobody.send(claimed()) == Retry("connect_refused", ANY)
    assert pigeon.channels <= set(CHANNELS)
    nobody.close()


def test_the_example_provider_reads_answers(sandbox: Sandbox) -> None:
    """What a server refuses is Failed: the sandbox has no such path."""
    names: dict[str, Any] = {"__name__": "pigeon_post"}
    exec(compile(PIGEON, "pigeon_post", "exec"), names)
    pigeon = names["Pigeon"]({"PIGEON_BASE_URL": sandbox.url})
    assert pigeon.send(claimed()) == Failed("http_404", ANY, 404)
    pigeon.close()


def test_the_example_provider_is_short() -> None:
    """It is read in a minute: 30 lines, empty ones left out."""
    assert len([line for line in PIGEON.splitlines() if line.strip()]) <= 30


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_test_of_the_example_provider_passes(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test file of the documents is complete, and the example keeps every rule that it checks."""
    pigeon_post = ModuleType("pigeon_post")
    exec(compile(PIGEON, "pigeon_post", "exec"), vars(pigeon_post))
    monkeypatch.setitem(sys.modules, "pigeon_post", pigeon_post)
    names: dict[str, Any] = {"__name__": "test_pigeon"}
    exec(compile((ROOT / "examples/test_pigeon.py").read_text(), "test_pigeon", "exec"), names)
    names["test_pigeon"](check)


def claimed() -> Claimed:
    some = UUID(int=1)
    return Claimed(some, some, 1, "webhook", "you", None, "hi", {}, some, "anna", "pigeon", None, None, "fall", MONDAY,
                   MONDAY + HOUR)  # fmt: skip


# --- form -------------------------------------------------------------------------------------------------


def links() -> list[tuple[Path, str]]:
    found = []
    for path in [*DOCS, *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "deploy/README.md"))]:
        found += [(path, target) for target in re.findall(r"\]\(([^)\s]+)\)", prose(path))]
    return found


@pytest.mark.parametrize(("path", "target"), links(), ids=lambda value: value if isinstance(value, str) else value.name)
def test_a_link_leads_somewhere(path: Path, target: str) -> None:
    """Links stay within the project; the file is there, and the heading in it."""
    file, _, heading = target.partition("#")
    there = (path.parent / file).resolve() if file else path
    assert there.is_relative_to(ROOT)
    assert there.is_file()
    if heading:
        assert heading in {slug(line) for line in re.findall(r"^#+ (.*)", prose(there), re.MULTILINE)}


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_readme_is_short_and_plain() -> None:
    """150 lines at most, none too long to read in a terminal, and nothing but letters and signs."""
    lines = README.read_text().splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 120] == []
    assert not re.search(r"[\U0001F000-\U0001FFFF\u2600-\u27BF]", TEXT)


def test_the_targets_that_the_readme_names_are_in_the_makefile() -> None:
    """`make demo` and `make test` are there."""
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"\bmake ([a-z]+)\b", README.read_text())) <= made


# --- a queue of the names that the documents use ----------------------------------------------------------


@pytest.fixture
def stocked(queue: Queue) -> Queue:
    """Accounts, a campaign, a schedule, a limit, and sends in every state; the tables of somebody's application."""
    conn = queue.conn
    queue.schedule("office", "America/New_York", ["07:00-18:00"], "mon-fri")
    queue.account("anna", max_in_flight=9, schedule="office")
    queue.account("carla")
    queue.account("our-bluesky", channel="post", provider="bluesky")
    queue.campaign("fall", "anna")
    queue.account("mara", channel="email", provider="log")
    queue.campaign("mails", "mara")
    conn.execute("select send_set_limit(10, '10 minutes', account => 'anna')")
    queue.enqueue(8, account="anna")
    conn.execute("""
        update send_queue set status = 'failed', error_code = 'invalid_recipient'
        where id = (select id from send_queue where status = 'pending' limit 1)""")
    conn.execute("""
        update send_queue set status = 'skipped', error_code = 'cancelled'
        where id = (select id from send_queue where status = 'pending' limit 1)""")
    conn.execute("""
        update send_schedules set opens_at = %(at)s, closes_at = %(at)s::timestamptz + interval '8 hours',
            window_since = %(at)s""", {"at": MONDAY})  # fmt: skip
    for outcome in ("sent", "uncertain", None):
        [[claim]] = conn.execute("select send_claim('a run', at => %s)", (MONDAY,)).fetchall()
        [[_, _, attempt_id, *_]] = claim["claimed"][0]["sends"]
        if outcome:
            result = [{"attempt_id": attempt_id, "outcome": outcome, "error_code": "read_timeout"}]
            conn.execute("select send_record(%s, at => %s)", (Jsonb(result), MONDAY))
    conn.execute("update send_queue set lease_expires_at = %s where status = 'sending'", (MONDAY + DAY,))
    conn.execute("insert into send_suppressions (workspace_id, recipient, reason) "
                 "select id, 'ada@example.com', 'unsubscribed' from send_workspaces")  # fmt: skip
    conn.execute("insert into send_prospects (workspace_id, email) select id, 'ada@example.com' from send_workspaces")
    conn.execute("create table leads (id int, linkedin_id text, first_name text, company text, contacted boolean)")
    conn.execute("insert into leads values (4711, 'ACoAAAexample3', 'Ada', 'Analytical Engines', false)")
    return queue


def some_id(conn: Connection, wanted: str) -> str:
    """The id of a row of the queue in this status, or of a limit."""
    query = "select id from send_limits" if wanted == "limit" else "select id from send_queue where status = %s"
    row = conn.execute(query.encode(), (wanted,) if "%s" in query else ()).fetchone()
    assert row is not None, f"There is no row that is {wanted}."
    return str(row[0])


@pytest.fixture
def in_its_place(
    database: str, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Prepare to call the command in this process, a hundred times faster than in its own: its environment, and a
    folder that has the files that are named."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def prepare(now: str) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "people.csv").write_text(block("README.md", "csv"))
        (tmp_path / "mails.csv").write_text(
            "email,first_name,company,cities\ngrace@example.com,Grace,Harbor Systems,paris;rome\n"
        )
        (tmp_path / "unsubscribed.csv").write_text("ben@example.com\n")
        (tmp_path / "invite.txt").write_text(block("docs/content.md", "jinja"))
        (tmp_path / "invite.html").write_text("<p>Hi {{ first_name }}</p>\n")
        for name, value in {**env, "DATABASE_URL": database, "SEND_QUEUE_NOW": now}.items():
            monkeypatch.setenv(name, value)

    yield prepare
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_reliability_names_tests_that_there_are() -> None:
    """Each promise, and each failure but one that says so itself, has its test."""
    text = (ROOT / "docs/reliability.md").read_text()
    named = re.findall(r"`(tests/[a-z_/]+\.py)`", text)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).is_file()] == []
    promises, failures = (
        [line for line in text.split(title)[1].split("\n## ")[0].splitlines() if line.startswith("| ")][1:]
        for title in ("\n## The promises\n", "\n## In which failure\n")
    )
    untested = [line for line in promises + failures if "`tests/" not in line and set(line) - set("|- ")]
    assert len(untested) == 1
    assert untested[0].endswith("| not tested |")
