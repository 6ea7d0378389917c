"""What docs/scaling.md says was tried, where no other test shows it."""

from __future__ import annotations

import psycopg
import pytest
from conftest import Connection
from psycopg import errors, sql


@pytest.mark.parametrize(
    ("table", "by"),
    [("send_queue", "created_at"), ("send_attempts", "started_at"), ("send_queue", "workspace_id"),
     ("send_attempts", "workspace_id")],
)  # fmt: skip
def test_a_partitioned_table_could_not_keep_our_rules(conn: Connection, table: str, by: str) -> None:
    """A unique rule over partitions must hold their key, and ours hold no date and no tenant."""
    statement = sql.SQL("create table in_parts (like {} including all) partition by {} ({})").format(
        sql.Identifier(table), sql.SQL("list" if by == "workspace_id" else "range"), sql.Identifier(by)
    )
    with pytest.raises(errors.FeatureNotSupported, match="must include all partitioning columns"):
        conn.execute(statement)


def test_queues_in_two_schemas_know_nothing_of_each_other(conn: Connection, database: str) -> None:
    """A search_path chooses the queue: what is in one is not sent, and not seen, by a run of the other."""
    from send_queue import store
    from send_queue.store import schema

    conn.execute("create schema tenant")
    theirs = f"{database}{'&' if '?' in database else '?'}options=-csearch_path%3Dtenant"
    with psycopg.connect(theirs, autocommit=True) as other:
        schema.migrate(other)
        store.upsert(other, "account", "anna", {"provider": "log"}, adding=True)
        store.upsert(other, "campaign", "fall", {"accounts": ["anna"]}, adding=True)
        other.execute("select send_enqueue('fall', 'log', 'you', 'hi')")
        claim = "select json_array_length(send_claim('a run') -> 'claimed')"
        assert conn.execute(claim).fetchone() == (0,)
        assert other.execute(claim).fetchone() == (1,)
