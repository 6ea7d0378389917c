"""Install sql/ in the database, and check that the database fits this code.

    sql/bootstrap.sql              the lock, and two tables that record the installed files
    sql/migrations/NNNN_words.sql  run once, in order, never edited
    sql/functions/NAME.sql         one function; rerun after a change of the file, dropped with it
    sql/views/NN_NAME.sql          all rerun after a change of one, or of a function under them

One transaction does all of it: nobody sees half, and a failure leaves nothing. The search_path selects the schema.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg import errors, sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from send_queue.model import ConfigurationError
from send_queue.store import qualify

OLDEST_SERVER = 14
"""The first major version with `create or replace trigger`."""

Connection: TypeAlias = psycopg.Connection[Any]
Grant: TypeAlias = tuple[str, str, str | None]
"""A role, its task, and its only workspace."""


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """The result of a migrate: names of the files that it ran, and whether it made the views anew."""

    applied: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    views: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """One file of sql/; `name` lacks the `.sql`."""

    name: str
    text: bytes
    server_functions: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    @property
    def definition_digest(self) -> str:
        """Return the digest of a function or view, which also changes with the rules of installation."""
        return hashlib.sha256(f"{qualify.REVISION} ".encode() + self.text).hexdigest()

    @property
    def code(self) -> str:
        """Return the text to run, qualified (qualify.py)."""
        return qualify.qualified(self.text.decode(), self.server_functions)

    @property
    def version(self) -> int:
        """Return a migration's number: 7 for 0007_words."""
        return int(self.name.partition("_")[0])


def sql_dir() -> Path:
    """Return the folder of the SQL: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "sql"
    return inside if inside.exists() else package.parent / "sql"


# --- installing -------------------------------------------------------------------------------------------


def migrate(
    conn: Connection,
    folder: Path | None = None,
    grants: Sequence[Grant] = (),
    served: Mapping[str, Collection[str]] | None = None,
) -> MigrationReport:
    """Bring the database up to this code, in one transaction; simultaneous calls are safe.

    `grants` are roles, each with its task ("work", "enqueue" or "read") and its only workspace; None: all (send_grant).
    Roles with an earlier grant get the rights that this version needs, all others none (send_close). `served` has the
    channels of the installed providers (send_note_providers).

    Raises ConfigurationError if it cannot or must not migrate.
    """
    folder = folder or sql_dir()
    major = conn.info.server_version // 10000
    if major < OLDEST_SERVER:
        raise ConfigurationError(
            f"This server is Postgres {major} and send-queue needs {OLDEST_SERVER} or newer: "
            "upgrade it, or name another in DATABASE_URL."
        )
    try:
        with conn.transaction():
            return _install(conn, folder, grants, served or {})
    except errors.InvalidSchemaName as error:
        raise ConfigurationError(
            "No schema of the search_path exists: run `create schema …` for the first of them."
        ) from error
    except (errors.InsufficientPrivilege, errors.DependentObjectsStillExist) as error:
        raise ConfigurationError(
            f"Nothing was changed, because the database says: {_all_that_is_said(error)}: "
            "mend that and run `send-queue migrate` again."
        ) from error


def _install(
    conn: Connection, folder: Path, grants: Sequence[Grant], served: Mapping[str, Collection[str]]
) -> MigrationReport:
    # Before any query: a snapshot older than bootstrap's lock would miss the previous migrate's changes.
    _run(conn, "set transaction isolation level read committed")
    names = frozenset(name for (name,) in _rows(conn, _SERVER_FUNCTIONS))
    for (owner,) in _rows(conn, _OTHER_OWNER):
        # Our functions reach each other and the tables as their one owner.
        _run(conn, sql.SQL("set local role {}").format(sql.Identifier(owner)))
    _run(conn, qualify.qualified((folder / "bootstrap.sql").read_text(), names))
    applied = _apply_migrations(conn, _files(folder / "migrations", names))
    functions, views = _files(folder / "functions", names), _files(folder / "views", names)
    try:
        with conn.transaction():
            defined = _define(conn, functions, views, drop_views=False)
    except (errors.InvalidTableDefinition, errors.DependentObjectsStillExist):
        # A view has other columns now, or blocks the drop of a function.
        defined = _define(conn, functions, views, drop_views=True)
    report = MigrationReport(applied, *defined)
    if report != MigrationReport():
        _run(conn, "set local check_function_bodies = on")
        _run(conn, _CHECK_BODIES, ([file.name for file in functions],))
    if any(file.name == "send_note_migrated" for file in functions):
        _run(conn, "select send_note_migrated()")
    if served:
        _run(conn, "select send_note_providers(%s)", (Jsonb({name: sorted(served[name]) for name in served}),))
    for grant in grants:
        _run(conn, "select send_grant(%s, %s, %s)", grant)
    if not grants and any(file.name == "send_close" for file in functions):
        _run(conn, "select send_close()")
    return report


def _apply_migrations(conn: Connection, files: Sequence[File]) -> tuple[str, ...]:
    recorded = {version: (name, digest) for version, name, digest in _rows(conn, _MIGRATIONS)}
    _refuse_other(recorded, files)
    _refuse_newer(recorded, files)
    for file in files:
        if file.version in recorded and recorded[file.version][1] != file.digest:
            raise ConfigurationError(
                f"The migration {file.name} was edited after this database ran it: "
                "restore the file, and put the change into a new migration."
            )
    pending = [file for file in files if file.version not in recorded]
    for file in pending:
        _run(conn, file.code)
        _run(
            conn,
            "insert into send_migrations (version, name, digest) values (%s, %s, %s)",
            (file.version, file.name, file.digest),
        )
    return tuple(file.name for file in pending)


def _define(
    conn: Connection, functions: Sequence[File], views: Sequence[File], *, drop_views: bool
) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Install changed files; return the functions run, the functions dropped, and whether views were run."""
    known_functions, known_views = _known(conn, "function"), _known(conn, "view")
    changed = [file for file in functions if known_functions.get(file.name) != file.definition_digest]
    gone = sorted(known_functions.keys() - {file.name for file in functions})
    views_changed = drop_views or known_views != {file.name: file.definition_digest for file in views}

    if drop_views or known_views.keys() - {file.name for file in views}:
        for name in sorted(known_views, reverse=True):
            _run(conn, sql.SQL("drop view if exists {}").format(sql.Identifier(_view_name(name))))
    for name in gone:
        _drop_function(conn, name)
    for file in changed:
        _create_function(conn, file)
    if views_changed:
        for file in views:
            _run(conn, file.code)

    for name in gone:
        _run(conn, "delete from send_definitions where kind = 'function' and name = %s", (name,))
    for file in changed:
        _run(conn, _RECORD, ("function", file.name, file.definition_digest))
    if views_changed:
        _run(conn, "delete from send_definitions where kind = 'view'")
        for file in views:
            _run(conn, _RECORD, ("view", file.name, file.definition_digest))
    return tuple(file.name for file in changed), tuple(gone), views_changed


def _create_function(conn: Connection, file: File) -> None:
    try:
        with conn.transaction():
            _run(conn, file.code)
    except errors.InvalidFunctionDefinition:  # another return type, or other argument names
        _drop_function(conn, file.name)
        _run(conn, file.code)
    if len(_overloads(conn, file.name)) > 1:  # other arguments: the old function is still there
        _drop_function(conn, file.name)
        _run(conn, file.code)


def _drop_function(conn: Connection, name: str) -> None:
    for signature in _overloads(conn, name):
        _run(conn, b"drop routine " + signature.encode())


def _overloads(conn: Connection, name: str) -> list[str]:
    return [signature for (signature,) in _rows(conn, _OVERLOADS, (name,))]


# --- checks -----------------------------------------------------------------------------------------------


def version(conn: Connection) -> int | None:
    """Return the number of the database's last migration; None: there is none."""
    try:
        [(latest,)] = _rows(conn, "select max(version) from send_migrations")
    except errors.UndefinedTable:
        return None
    return int(latest) if latest is not None else None


def check(conn: Connection, folder: Path | None = None) -> None:
    """Raise ConfigurationError with the remedy unless the database fits this code.

    It takes a round trip, for `doctor` and the like; a tick skips it and calls `missing` after an error.
    """
    folder = folder or sql_dir()
    try:
        installed = _rows(conn, _INSTALLED)
    except errors.UndefinedTable as error:
        raise ConfigurationError("The tables are not there yet: run `send-queue migrate`.") from error
    recorded = {number: (name, digest) for kind, number, name, digest in installed if kind == "migration"}
    migrations = _files(folder / "migrations")
    _refuse_other(recorded, migrations)
    _refuse_newer(recorded, migrations)
    if len(recorded) < len(migrations):
        raise ConfigurationError("The database is older than this send-queue: run `send-queue migrate`.")
    expected = {
        (kind, file.name, file.definition_digest)
        for kind in ("function", "view")
        for file in _files(folder / f"{kind}s")
    }
    if expected != {(kind, name, digest) for kind, _, name, digest in installed if kind != "migration"}:
        raise ConfigurationError("The database's functions are not those of this send-queue: run `send-queue migrate`.")


def is_blank(conn: Connection) -> bool:
    """Whether the database has nothing to lose: only our tables, without accounts and sends."""
    [(others,)] = _rows(conn, _OTHER_TABLES)
    if others:
        return False
    return version(conn) is None or not _rows(conn, _HELD)[0][0]


def missing(error: BaseException) -> ConfigurationError | None:
    """Turn the error of a missing or different object into one with the remedy; else return None."""
    if not isinstance(error, errors.UndefinedTable | errors.UndefinedFunction | errors.UndefinedColumn):
        return None
    return ConfigurationError(
        "The tables are not there yet, or are not those of this send-queue "
        f"({error.diag.message_primary}): run `send-queue migrate`."
    )


def _refuse_other(recorded: dict[int, tuple[str, str]], files: Sequence[File]) -> None:
    if any(file.version in recorded and recorded[file.version][0] != file.name for file in files):
        raise ConfigurationError(
            "This database was made before the first release of send-queue, with other tables: "
            "make a new, empty one and run `send-queue migrate` there."
        )


def _refuse_newer(recorded: dict[int, tuple[str, str]], files: Sequence[File]) -> None:
    for newest in sorted(recorded.keys() - {file.version for file in files}, reverse=True):
        raise ConfigurationError(
            f"This database was migrated by a newer send-queue (migration {recorded[newest][0]}): upgrade send-queue."
        )


# --- small things -----------------------------------------------------------------------------------------

_SERVER_FUNCTIONS: LiteralString = """
    select proname from pg_catalog.pg_proc where pronamespace = 'pg_catalog'::regnamespace group by proname
"""

_OTHER_OWNER: LiteralString = """
    select pg_catalog.pg_get_userbyid(c.relowner) from pg_catalog.pg_class c
    where c.relnamespace = pg_catalog.quote_ident(pg_catalog.current_schema())::regnamespace::oid
      and c.relname::text = 'send_migrations' and pg_catalog.pg_get_userbyid(c.relowner) <> current_user
"""

_MIGRATIONS: LiteralString = "select version, name, digest from send_migrations"

_INSTALLED: LiteralString = """
    select 'migration', version, name, digest from send_migrations
    union all select kind, null, name, digest from send_definitions
"""

_OTHER_TABLES: LiteralString = """
    select exists (
        select from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema$)'
          and not (c.relname ^@ 'send_' and n.nspname = current_schema()))
"""

_HELD: LiteralString = "select exists (select from send_queue) or exists (select from send_accounts)"

_RECORD: LiteralString = """
    insert into send_definitions (kind, name, digest) values (%s, %s, %s)
    on conflict (kind, name) do update set digest = excluded.digest, applied_at = excluded.applied_at
"""

_OVERLOADS: LiteralString = """
    select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = pronamespace
    where proname = %s and nspname = current_schema()
"""

# The checks of `create function`, after all objects exist.
_CHECK_BODIES: LiteralString = """
    select case lanname when 'plpgsql' then plpgsql_validator(p.oid) else fmgr_sql_validator(p.oid) end
    from pg_proc p join pg_namespace n on n.oid = pronamespace join pg_language l on l.oid = prolang
    where proname = any(%s) and nspname = current_schema() and lanname in ('plpgsql', 'sql')
"""


def _files(folder: Path, server_functions: frozenset[str] = frozenset()) -> list[File]:
    return [File(path.stem, path.read_bytes(), server_functions) for path in sorted(folder.glob("*.sql"))]


def _view_name(stem: str) -> str:
    """Return the name of the view in a file: send_failures for 20_send_failures."""
    return stem.partition("_")[2]


def _known(conn: Connection, kind: str) -> dict[str, str]:
    return dict(_rows(conn, "select name, digest from send_definitions where kind = %s", (kind,)))


def _run(conn: Connection, statement: Any, args: Sequence[Any] | None = None) -> None:
    """Run a statement, or without `args` a whole file. Never prepare it: pgbouncer would mix statements up."""
    conn.execute(statement, args, prepare=False)


def _rows(conn: Connection, query: LiteralString, args: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(query, args, prepare=False).fetchall()


def _all_that_is_said(error: psycopg.Error) -> str:
    return "; ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
