-- Of rows that the caller holds, those that may go, in their order. The others are skipped: they were suppressed while
-- they were being enqueued, or an operator has made them pending again.
--
-- It must not be part of the statement that locks the rows: its look at the suppressions has to be newer than that
-- lock.
create or replace function send_skip_suppressed(ids uuid[], at timestamptz) returns uuid[] language plpgsql as $$
#variable_conflict use_column
declare
    v_blocked uuid[] := array(
        select q.id from send_queue q
        where q.id = any (ids) and q.status = 'pending' and ( -- no join: see send_record_sent
            select true from send_suppressions s
            where s.workspace_id = q.workspace_id and s.recipient = send_normal_recipient(q.recipient)
              and (s.channel is null or s.channel = q.channel) limit 1));
begin
    if cardinality(v_blocked) = 0 then
        return ids;
    end if;
    update send_queue q
    set status = 'skipped', error_code = 'suppressed', updated_at = send_skip_suppressed.at,
        error_message = send_suppressed(q.workspace_id, q.channel, q.recipient)
    where q.id = any (v_blocked);
    return array(select i.id from unnest(ids) with ordinality i (id, n) where i.id <> all (v_blocked) order by i.n);
end
$$;
