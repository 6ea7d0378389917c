-- Whatever comes to wait in a lane, by whomever it is written, wakes the lane if it sleeps longer (send_mark_idle): by
-- a line in send_wakes, so that a long transaction keeps nobody waiting, and claims go on meanwhile.
--
-- The lane's key is shared until the end of the transaction: so the lane does not fall asleep while this is not
-- committed, and what is read of it afterwards stays true. A transaction that still sees the past says it always.
create or replace function send_on_waiting() returns trigger language plpgsql as $$
declare
    v_knows constant boolean := current_setting('transaction_isolation') = 'read committed';
begin
    perform pg_advisory_xact_lock_shared(k.key)
    from (select distinct send_sleep_key(q.account_id) as key from new_rows q where q.status = 'pending' and v_knows) k;
    insert into send_wakes (account_id, channel)
    select said.account_id, said.channel
    from (select q.account_id, q.channel, min(q.scheduled_for) as due_at from new_rows q where q.status = 'pending'
          group by q.account_id, q.channel) said
    cross join lateral (
        select l.idle_until from send_lanes l
        where l.account_id = said.account_id and l.channel = said.channel limit 1) lane
    where lane.idle_until > said.due_at or not v_knows;
    return null;
end
$$;

create or replace trigger rows_come_to_wait after insert on send_queue
referencing new table as new_rows for each statement execute function send_on_waiting();
create or replace trigger rows_wait_again after update on send_queue
referencing new table as new_rows for each statement execute function send_on_waiting();
