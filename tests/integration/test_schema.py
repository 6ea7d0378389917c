"""Installing sql/: once, whole, and again when a file changes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from send_queue.model import ConfigurationError
from send_queue.store import schema

Connection = psycopg.Connection[tuple[Any, ...]]
Write = Callable[[str, str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An sql/ of this test's own, with nothing in it but the bootstrap."""
    folder = tmp_path / "sql"
    for name in ("migrations", "functions", "views"):
        (folder / name).mkdir(parents=True)
    shutil.copy(schema.sql_dir() / "bootstrap.sql", folder)
    return folder


@pytest.fixture
def write(folder: Path) -> Write:
    def write(path: str, text: str) -> Path:
        (folder / path).write_text(text)
        return folder / path

    return write


@pytest.fixture
def empty(empty_database: str) -> Any:
    with psycopg.connect(empty_database, autocommit=True) as conn:
        yield conn


def one(conn: Connection, query: Any) -> Any:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


# --- the files of this checkout ---------------------------------------------------------------------------


def test_migrations_are_numbered_without_gap_or_duplicate() -> None:
    """Migrations are 0001_words, 0002_words, …: what they do depends on the order, so it is certain."""
    names = sorted(path.stem for path in (schema.sql_dir() / "migrations").iterdir())
    assert [f"{number:04}" for number in range(1, len(names) + 1)] == [name.partition("_")[0] for name in names]
    assert [name for name in names if not re.fullmatch(r"\d{4}_[a-z0-9_]+", name)] == []


def test_a_file_defines_what_its_name_says(conn: Connection) -> None:
    """One file, one function (or view) of the same name.

    A function that a constraint or a default needs is made by a migration, and has no file beside it.
    """
    functions = [path.stem for path in (schema.sql_dir() / "functions").iterdir()]
    views = [path.stem for path in (schema.sql_dir() / "views").iterdir()]
    migrations = "".join(path.read_text() for path in (schema.sql_dir() / "migrations").iterdir())
    functions += re.findall(r"(?i)create function (\w+)", migrations)
    assert [name for name in views if not re.fullmatch(r"\d\d_send_[a-z0-9_]+", name)] == []
    assert sorted(set(functions)) == one(
        conn,
        """
        select coalesce(array_agg(proname::text order by proname collate "C"), '{}')
        from pg_proc join pg_namespace n on n.oid = pronamespace where nspname = current_schema()
        """,
    )
    assert sorted(name[3:] for name in views) == one(
        conn,
        """
        select coalesce(array_agg(viewname::text order by viewname collate "C"), '{}')
        from pg_views where schemaname = current_schema()
        """,
    )


def test_no_literal_has_a_backslash() -> None:
    """A session with standard_conforming_strings off reads it as another text; one that begins with E is read alike."""
    found = [
        (path.stem, line)
        for path in schema.sql_dir().rglob("*.sql")
        for line in re.sub(r"--.*|E'[^']*'", "", path.read_text()).splitlines()
        if "\\" in line
    ]
    assert found == []


def test_the_database_fits_the_code_after_migrate(conn: Connection) -> None:
    """A second migrate finds nothing to do, and `check` is content."""
    assert schema.migrate(conn) == schema.MigrationReport()
    schema.check(conn)
    newest = max(path.name for path in (schema.sql_dir() / "migrations").iterdir())
    assert schema.version(conn) == int(newest.partition("_")[0])


def test_everything_goes_into_the_schema_of_the_search_path(empty_database: str) -> None:
    """No schema is named in the SQL: all of it lands where the search_path says, and nowhere else."""
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("create schema outreach")
    with psycopg.connect(empty_database, autocommit=True, options="-csearch_path=outreach") as conn:
        schema.migrate(conn)
        schema.check(conn)
        assert schema.migrate(conn) == schema.MigrationReport()
        strangers = one(
            conn,
            """
            select (select count(*) from pg_class where relnamespace = 'public'::regnamespace)
                 + (select count(*) from pg_proc where pronamespace = 'public'::regnamespace)
            """,
        )
        assert strangers == 0


# --- migrations -------------------------------------------------------------------------------------------


def test_a_migration_runs_once(empty: Connection, folder: Path, write: Write) -> None:
    """A recorded migration is not run again; a new one is."""
    write("migrations/0001_one.sql", "create table one (); create table two (share text default '100%')")
    assert schema.migrate(empty, folder).applied == ("0001_one",)
    write("migrations/0002_two.sql", "drop table two")
    assert schema.migrate(empty, folder).applied == ("0002_two",)
    assert schema.migrate(empty, folder) == schema.MigrationReport()
    assert schema.version(empty) == 2


def test_a_failing_migration_leaves_nothing(empty: Connection, folder: Path, write: Write) -> None:
    """Migrate is one transaction: after an error the database is as it was before."""
    write("migrations/0001_one.sql", "create table one ()")
    write("migrations/0002_two.sql", "create table two (); select 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        schema.migrate(empty, folder)
    assert one(empty, "select count(*) from pg_class where relnamespace = 'public'::regnamespace") == 0


def test_an_edited_migration_is_refused(empty: Connection, folder: Path, write: Write) -> None:
    """What a database has run is never edited: the change would never reach it."""
    write("migrations/0001_one.sql", "create table one ()")
    schema.migrate(empty, folder)
    write("migrations/0001_one.sql", "create table one (id int)")
    with pytest.raises(ConfigurationError, match="0001_one was edited"):
        schema.migrate(empty, folder)


def test_a_database_with_other_tables_is_refused(empty: Connection, folder: Path, write: Write) -> None:
    """What an unreleased version made cannot be brought up to this one: one sentence says what to do."""
    write("migrations/0001_the_queue.sql", "create table one ()")
    schema.migrate(empty, folder)
    for command in (schema.migrate, schema.check):
        with pytest.raises(ConfigurationError, match="with other tables: make a new, empty one and run"):
            command(empty)


def test_a_newer_database_is_refused(empty: Connection, folder: Path, write: Write) -> None:
    """Old code neither migrates nor uses a database that newer code has migrated."""
    write("migrations/0001_one.sql", "create table one ()")
    newer = write("migrations/0002_two.sql", "create table two ()")
    schema.migrate(empty, folder)
    newer.unlink()
    expected = "This database was migrated by a newer send-queue (migration 0002_two): upgrade send-queue."
    with pytest.raises(ConfigurationError) as from_migrate:
        schema.migrate(empty, folder)
    with pytest.raises(ConfigurationError) as from_check:
        schema.check(empty, folder)
    assert [expected, expected] == [str(from_migrate.value), str(from_check.value)]


def test_ten_at_once_migrate_once(empty_database: str, tmp_path: Path) -> None:
    """Of several migrates at once one works, the others find nothing to do, and none fails."""
    script = tmp_path / "migrate.py"
    script.write_text(
        "import sys, psycopg; from send_queue.store import schema\n"
        "with psycopg.connect(sys.argv[1], autocommit=True) as conn:\n"
        "    print(schema.migrate(conn) != schema.MigrationReport())"
    )
    command = [sys.executable, str(script), empty_database]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    outputs = [run.communicate(timeout=120)[0].strip() for run in runs]
    assert [run.returncode for run in runs] == [0] * 10
    assert sorted(outputs) == ["False"] * 9 + ["True"]


# --- functions --------------------------------------------------------------------------------------------

ANSWER = "create or replace function answer() returns int language sql as 'select 1'"


def test_a_function_is_run_again_when_its_file_changes(empty: Connection, folder: Path, write: Write) -> None:
    """The digest of a file decides: the changed function is replaced, the others are left alone."""
    write("functions/answer.sql", ANSWER)
    write("functions/other.sql", "create or replace function other() returns int language sql as 'select 1'")
    assert schema.migrate(empty, folder).functions == ("answer", "other")
    write("functions/answer.sql", ANSWER.replace("1", "2"))
    assert schema.migrate(empty, folder) == schema.MigrationReport(functions=("answer",))
    assert one(empty, "select answer()") == 2


@pytest.mark.parametrize(
    "changed",
    [
        "answer(n int) returns int",
        "answer(n int default 1) returns int",
        "answer() returns bigint",
        "answer(out a int, out b int)",
    ],
)
def test_a_changed_signature_leaves_no_overload(empty: Connection, folder: Path, write: Write, changed: str) -> None:
    """After a change of arguments or result only the function of the file is there, views on it or not."""
    write("functions/answer.sql", ANSWER)
    write("views/10_answers.sql", "create or replace view answers as select answer() as a")
    schema.migrate(empty, folder)
    body = "select 1, 2" if "out" in changed else "select 1"
    write("functions/answer.sql", f"create or replace function {changed} language sql as '{body}'")
    write("views/10_answers.sql", "create or replace view answers as select 1 as b")
    schema.migrate(empty, folder)
    assert one(empty, "select count(*) from pg_proc where proname = 'answer'") == 1
    assert one(empty, "select b from answers") == 1


def test_the_arguments_of_a_function_may_be_renamed(empty: Connection, folder: Path, write: Write) -> None:
    """`create or replace` refuses another name for an argument; migrate does not."""
    write(
        "functions/twice.sql",
        "create or replace function twice(n int) returns int language sql as 'select 2*n'",
    )
    schema.migrate(empty, folder)
    write(
        "functions/twice.sql",
        "create or replace function twice(m int) returns int language sql as 'select 2*m'",
    )
    schema.migrate(empty, folder)
    assert one(empty, "select twice(m => 2)") == 4


def test_the_function_goes_with_its_file(empty: Connection, folder: Path, write: Write) -> None:
    """A function whose file was removed is dropped; one that was never ours stays."""
    file = write("functions/answer.sql", ANSWER)
    empty.execute("create function mine() returns int language sql as 'select 1'")
    schema.migrate(empty, folder)
    file.unlink()
    assert schema.migrate(empty, folder) == schema.MigrationReport(dropped=("answer",))
    assert one(empty, "select array_agg(proname::text) from pg_proc where proname in ('answer', 'mine')") == ["mine"]


def test_functions_may_call_each_other(empty: Connection, folder: Path, write: Write) -> None:
    """The order of the files means nothing to functions."""
    write("functions/a.sql", "create or replace function a() returns int language sql as 'select b()'")
    write("functions/b.sql", "create or replace function b() returns int language sql as 'select 7'")
    schema.migrate(empty, folder)
    assert one(empty, "select a()") == 7


@pytest.mark.parametrize(("language", "body"), [("sql", "select nowhere()"), ("plpgsql", "begin retrun 1; end")])
def test_a_broken_body_fails_the_migrate(
    empty: Connection, folder: Path, write: Write, language: str, body: str
) -> None:
    """A function that cannot run is found out by migrate, not by the next tick."""
    write("functions/a.sql", f"create or replace function a() returns int language {language} as '{body}'")
    with pytest.raises(psycopg.errors.Error, match=r"nowhere|retrun"):
        schema.migrate(empty, folder)


def test_a_function_may_bring_its_trigger(empty: Connection, folder: Path, write: Write) -> None:
    """A trigger may be made by the function's file or by a migration; both outlive a change of it."""
    function = (
        "create or replace function stamp() returns trigger language plpgsql as 'begin new.n = 1; return new; end';"
    )
    trigger = "create or replace trigger stamped before insert on one for each row execute function stamp()"
    write("migrations/0001_one.sql", "create table one (n int)")
    write("functions/stamp.sql", function + trigger)
    schema.migrate(empty, folder)
    write("functions/stamp.sql", function.replace("1", "2") + trigger)
    write("migrations/0002_two.sql", "create table two (n int); " + trigger.replace(" on one", " on two"))
    schema.migrate(empty, folder)
    empty.execute("insert into one values (0); insert into two values (0)")
    assert one(empty, "select array[one.n, two.n] from one, two") == [2, 2]


# --- views ------------------------------------------------------------------------------------------------


def test_views_may_rest_on_views_and_change_their_columns(empty: Connection, folder: Path, write: Write) -> None:
    """Views are made in the order of their numbers, and anew when a column changes below."""
    write("views/10_low.sql", "create or replace view low as select 1 as a, 2 as b")
    write("views/20_high.sql", "create or replace view high as select a from low")
    assert schema.migrate(empty, folder) == schema.MigrationReport(views=True)
    write("views/10_low.sql", "create or replace view low as select 'x' as c")
    write("views/20_high.sql", "create or replace view high as select c from low")
    assert schema.migrate(empty, folder) == schema.MigrationReport(views=True)
    assert one(empty, "select c from high") == "x"
    assert schema.migrate(empty, folder) == schema.MigrationReport()


def test_the_view_goes_with_its_file(empty: Connection, folder: Path, write: Write) -> None:
    """A view whose file was removed is dropped."""
    file = write("views/10_low.sql", "create or replace view low as select 1 as a")
    schema.migrate(empty, folder)
    file.unlink()
    assert schema.migrate(empty, folder).views
    assert one(empty, "select to_regclass('low')") is None


def test_a_view_of_the_users_survives_or_stops_us(empty: Connection, folder: Path, write: Write) -> None:
    """Nothing is dropped by cascade: a user's own view stays, and where it is in the way migrate names it."""
    write("views/10_low.sql", "create or replace view low as select 1 as a")
    schema.migrate(empty, folder)
    empty.execute("create view report as select a from low")
    write("views/10_low.sql", "create or replace view low as select 2 as a, 3 as b")
    schema.migrate(empty, folder)
    assert one(empty, "select a from report") == 2
    write("views/10_low.sql", "create or replace view low as select 4 as b")
    with pytest.raises(ConfigurationError, match=r"view report depends on view low"):
        schema.migrate(empty, folder)
    assert one(empty, "select a from report") == 2


# --- does it fit? -----------------------------------------------------------------------------------------


def test_check_says_what_to_do(empty: Connection, folder: Path, write: Write) -> None:
    """Not there, older, other functions: each is one sentence that names the command."""

    def said() -> str:
        with pytest.raises(ConfigurationError) as error:
            schema.check(empty, folder)
        return str(error.value)

    assert schema.version(empty) is None
    assert said() == "The tables are not there yet: run `send-queue migrate`."
    write("migrations/0001_one.sql", "create table one ()")
    schema.migrate(empty, folder)
    schema.check(empty, folder)
    write("migrations/0002_two.sql", "create table two ()")
    assert said() == "The database is older than this send-queue: run `send-queue migrate`."
    schema.migrate(empty, folder)
    write("functions/answer.sql", ANSWER)
    assert said() == "The database's functions are not those of this send-queue: run `send-queue migrate`."


@pytest.mark.parametrize("query", ["select from send_queue", "select send_claim(1)"])
def test_what_is_missing_is_said_only_after_it_was_missed(empty: Connection, query: Any) -> None:
    """A tick asks for no version: the failed call itself leads to `send-queue migrate`."""
    with pytest.raises(psycopg.Error) as error:
        empty.execute(query)
    assert re.match(
        r"The tables are not there yet.*send_.*run `send-queue migrate`\.", str(schema.missing(error.value))
    )
    assert schema.missing(ValueError()) is None


def test_an_old_server_is_refused() -> None:
    """Before Postgres 14 there is no `create or replace trigger`."""
    old = cast(Connection, SimpleNamespace(info=SimpleNamespace(server_version=130012)))
    with pytest.raises(ConfigurationError, match=r"is Postgres 13 and send-queue needs 14 or newer"):
        schema.migrate(old)


def test_a_search_path_that_leads_nowhere_is_refused(empty_database: str) -> None:
    """With no schema to create in, migrate says which command makes one."""
    with (
        psycopg.connect(empty_database, autocommit=True, options="-csearch_path=nowhere") as conn,
        pytest.raises(ConfigurationError, match=r"run `create schema"),
    ):
        schema.migrate(conn)


def test_a_role_that_may_not_create_is_told(empty: Connection) -> None:
    """The database's own words say which right is missing."""
    empty.execute("create role sq_guest; grant sq_guest to current_user; set role sq_guest")
    try:
        with pytest.raises(ConfigurationError, match=r"permission denied for schema public"):
            schema.migrate(empty)
    finally:
        empty.execute("reset role; drop role sq_guest")
