-- Put rows with an expired lease in doubt, for look-ups: a dead run left them, and they may have gone out. The attempt
-- ends as uncertain and stays counted, so a run that returns late cannot overwrite later results. A row with an earlier
-- attempt proven sent becomes sent. Returns the others. A row that a foreign trigger keeps stays `sending`, with a
-- warning, and stops no other.
create or replace function send_recover(at timestamptz default null) returns setof uuid language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at   timestamptz := coalesce(send_recover.at, clock_timestamp());
    v_to_come boolean := send_rehearse(send_recover.at);
    v_id   uuid;
    v_sent uuid;
    v_said text := 'The run that sent it ended without a result.';
begin
    for v_id in
        select q.id from send_queue q
        where q.status = 'sending' and q.lease_expires_at <= v_at
          -- A rehearsal expires only rehearsed attempts, a real run only real ones.
          and v_to_come = exists (select from send_attempts b where b.id = q.attempt_id and b.rehearsed)
        order by q.id for no key update of q skip locked
    loop
        begin
            update send_attempts b
            set outcome = 'uncertain', finished_at = v_at, error_code = 'lease_expired', error_message = v_said
            where b.send_id = v_id and b.outcome is null;
            update send_queue q
            set status = 'uncertain', attempts = q.attempts + 1, claimed_by = null, lease_expires_at = null,
                attempt_id = null, updated_at = v_at, error_code = 'lease_expired', error_message = v_said,
                look_up_at = v_at, look_ups = 0, absent_since = null
            where q.id = v_id;
            select b.id into v_sent from send_attempts b where b.send_id = v_id and b.outcome = 'sent' limit 1;
            if found then
                perform send_mark_sent(v_sent, null, v_at);
            else
                return next v_id;
            end if;
        exception when raise_exception or integrity_constraint_violation or data_exception then
            raise warning 'The send % cannot be put in doubt (%): mend the trigger or constraint that refuses it.', v_id,
                sqlerrm using errcode = 'SQ006';
        end;
    end loop;
end
$$;
