"""Objects of the application in the queue's way: a command names them, and nothing is sent twice or lost by them."""

from __future__ import annotations

import pytest

import send_queue
from send_queue.model import UserError

from .conftest import MINUTE, MONDAY, Queue

REFUSE = """
    create function app_mirror() returns trigger language plpgsql as $$
    begin
        if new.recipient = 'ACoAA-0' then raise exception 'no such deal'; end if;
        return new;
    end $$;
    create trigger app_mirror after update on send_queue
    for each row when (new.status = 'sent') execute function app_mirror();
"""


def test_a_trigger_that_refuses_a_result_costs_no_second_send(queue: Queue) -> None:
    """The run names the function, goes on with other lanes, and ends with 2. The row comes into doubt, is looked up,
    and is never sent again."""
    queue.account("anna")
    queue.account("ben")
    queue.campaign("fall", "anna", "ben")
    [refused] = queue.enqueue(account="anna")
    [other] = queue.enqueue(account="ben")
    queue.conn.execute(REFUSE)

    run = queue("run", check=False)
    assert run.returncode == 2
    assert "Your function app_mirror, which a trigger calls, refuses a change of the queue (no such deal)" in run.stderr
    assert (queue.row(refused)["status"], queue.row(other)["status"]) == ("sending", "sent")

    for minutes in (15, 30):  # its provider has it, and the trigger refuses that too
        later = queue("run", now=MONDAY + minutes * MINUTE, check=False)
        assert (later.returncode, "app_mirror" in later.stderr) == (2, True)
        assert queue.row(refused)["status"] == "uncertain"

    queue.conn.execute("drop trigger app_mirror on send_queue")
    queue("run", now=MONDAY + 45 * MINUTE)
    assert queue.row(refused)["status"] == "sent"
    assert sorted(queue.accepted()) == ["ACoAA-0", "ACoAA-1"]


def test_a_row_that_cannot_even_be_doubted_stops_no_other_lane(queue: Queue) -> None:
    """A warning names it, once; it stays in flight and is not sent again."""
    queue.account("anna")
    queue.account("ben")
    queue.campaign("fall", "anna", "ben")
    [refused] = queue.enqueue(account="anna")
    queue.conn.execute(REFUSE.replace("new.status = 'sent'", "new.status <> 'sending'"))
    assert queue("run", check=False).returncode == 2

    [other] = queue.enqueue(account="ben")
    later = queue("run", now=MONDAY + 15 * MINUTE)
    assert later.stderr.count(f"The send {refused} cannot be put in doubt (no such deal)") == 1
    assert (queue.row(refused)["status"], queue.row(other)["status"]) == ("sending", "sent")
    assert sorted(queue.accepted()) == ["ACoAA-0", "ACoAA-1"]


@pytest.mark.parametrize("table", ["send_queue", "send_attempts"])
def test_a_trigger_that_drops_changes_sends_nothing(queue: Queue, table: str) -> None:
    """`return null` before a change, or a rule: the row would stay due, and be sent by every run."""
    queue.ready()
    queue.conn.execute(
        "create function app_drop() returns trigger language plpgsql as 'begin return null; end'; create trigger"
        f" app_drop before insert or update on {table} for each row execute function app_drop()".encode()
    )
    run = queue("run", check=False)
    assert (run.returncode, "make the trigger return new" in run.stderr) == (2, True)
    assert queue.accepted() == []
    if table == "send_queue":
        with pytest.raises(UserError, match="drops the new row"):
            send_queue.enqueue(queue.conn, "fall", "linkedin_invite", "ada-l", "Hi")


def test_prune_names_the_foreign_key_that_keeps_rows(queue: Queue) -> None:
    queue.ready()
    queue("run")
    queue.conn.execute("create table deals (send_id uuid constraint deal_has_a_send references send_queue)")
    queue.conn.execute("insert into deals select id from send_queue")
    queue.conn.execute("update send_attempts set started_at = now() - interval '90 days'")
    queue.conn.execute("update send_queue set updated_at = now() - interval '90 days'")
    prune = queue("prune", "--older-than", "30d", now=None, check=False)
    assert prune.returncode == 2
    assert prune.stderr.startswith(
        "send-queue: Rows of your table deals refer to rows of the queue that would go, by the"
    )
    assert "foreign key deal_has_a_send: declare it `on delete set null`" in prune.stderr


REFUSALS = {
    "alter table send_queue add constraint no_ada check (recipient <> 'ada-l')":
        r"Your constraint no_ada on send_queue refuses it \(.*\): mend the value or drop the constraint\.",
    "alter table send_queue add check (recipient <> 'ada-l')": "constraint send_queue_recipient_check on send_queue",
    "create unique index one_hi on send_queue (message) where recipient <> 'x'": "Your constraint one_hi on send_queue",
    "alter table send_prospects add column crm_id text not null default 'x'; alter table send_prospects"
    " alter crm_id drop default":
        "Your column crm_id of send_prospects may not be null",
    "create rule app_rule as on insert to send_queue do instead nothing": "A rule of yours on a table of the queue",
    "create table deals (id uuid primary key); alter table send_queue add column deal_id uuid default send_uuid()"
    " references deals": "Your constraint send_queue_deal_id_fkey on send_queue",
    "create policy app_pol on send_queue as restrictive with check (false); create policy app_all on send_queue using"
    " (true) with check (true); create role app_owner; grant create, usage on schema public to app_owner; do $$ declare"
    " t text; begin for t in select 'table ' || tablename from pg_tables where schemaname = 'public' union all"
    " select 'function ' || oid::regprocedure from pg_proc where proname ^@ 'send_' loop execute 'alter ' || t ||"
    " ' owner to app_owner'; end loop; end $$; alter table send_queue force row level security":
        "Your row level security policy app_pol on send_queue refuses it",
    "create function app_count() returns trigger language plpgsql as 'begin insert into app_seen select new.id; return"
    " new; end'; create trigger t after insert on send_queue for each row execute function app_count()":
        r"Your function app_count, which a trigger calls, refuses .* \(relation .app_seen. does not exist\)",
}  # fmt: skip


@pytest.mark.parametrize("statement", REFUSALS)
def test_a_refusal_names_the_object(queue: Queue, statement: str) -> None:
    """A new row that a foreign object refuses: nothing is stored, and the program has its SQLSTATE."""
    queue.ready(rows=0)
    queue.conn.execute("insert into send_queue (campaign_id, channel, recipient, message) select id, 'linkedin_invite',"
                       " 'grace-h', 'Hi' from send_campaigns")  # fmt: skip
    with queue.conn.transaction(force_rollback=True):
        queue.conn.execute(("delete from send_queue; " * ("deal_id" in statement) + statement).encode())
        with pytest.raises(UserError, match=REFUSALS[statement]) as refused:
            send_queue.enqueue(queue.conn, "fall", "linkedin_invite", "ada-l", "Hi")
    assert refused.value.sqlstate
