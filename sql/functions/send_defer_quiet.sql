-- Of rows that the caller holds, those whose recipients have no quiet hours at the moment, in their order. The others
-- are put off to the end of theirs, and keep their place in the order (send_restore_places): each row once a night, and
-- not again while it waits for its morning. Where this server does not know the zone, nobody knows when that is: it is
-- looked at again in an hour.
create or replace function send_defer_quiet(ids uuid[], at timestamptz) returns uuid[] language plpgsql as $$
#variable_conflict use_column
declare
    v_id     uuid;
    v_quiet  record;
    v_others uuid[] := '{}';
begin
    foreach v_id in array ids loop
        select * into v_quiet from send_quiet_until(v_id, at);
        if v_quiet.until is not null then
            update send_queue q
            set scheduled_for = case when v_quiet.known then v_quiet.until else at + interval '1 hour' end,
                place = q.scheduled_for,
                error_code = case when v_quiet.known then 'quiet_hours' else 'timezone' end, error_message = v_quiet.detail,
                updated_at = send_defer_quiet.at
            where q.id = v_id;
            v_others := array_append(v_others, v_id);
        end if;
    end loop;
    return array(select i.id from unnest(ids) with ordinality i (id, n) where i.id <> all (v_others) order by i.n);
end
$$;
