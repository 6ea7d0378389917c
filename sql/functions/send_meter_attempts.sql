-- Add the attempts that ended since the last call to the meter, each once, by its outcome at that time: the counts
-- never fall, and a later resolution of a doubt does not change them.
--
-- Attempts are counted in the order of their ids, that is of their start, up to the first unfinished one, and only
-- those older than `margin`: by then the claim that began them has committed. A call counts 500,000 at most. It returns
-- at once on a standby, or while another transaction counts.
create or replace function send_meter_attempts(margin interval default '1 minute') returns void language plpgsql
set enable_seqscan = off as $$
#variable_conflict use_column
declare
    v_from uuid;
    v_to   uuid;
    v_id   uuid;
begin
    if pg_is_in_recovery() then
        return;
    end if;
    select m.counted_to into v_from from send_meter_mark m for update skip locked;
    if not found then
        return;
    end if;
    -- The least id of that moment: a version 7 UUID begins with its milliseconds.
    v_to := (lpad(to_hex((extract(epoch from clock_timestamp() - margin) * 1000::numeric)::bigint), 12, '0')
        || repeat('0', 20))::uuid;
    select q.attempt_id into v_id from send_queue q where q.status = 'sending' order by q.attempt_id limit 1;
    v_to := least(v_to, v_id);
    select b.id into v_id from send_attempts b where b.id >= v_from and b.id < v_to order by b.id offset 500000 limit 1;
    v_to := least(v_to, v_id);
    if v_to <= v_from then
        return;
    end if;
    insert into send_meter as m (account_id, channel, outcome, attempts)
    select b.account_id, b.channel, b.outcome, count(*) from send_attempts b
    where b.id >= v_from and b.id < v_to and b.outcome is not null and not b.rehearsed
    group by b.account_id, b.channel, b.outcome
    on conflict on constraint send_meter_pkey do update set attempts = m.attempts + excluded.attempts;
    update send_meter_mark m set counted_to = v_to;
end
$$;
