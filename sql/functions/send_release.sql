-- Release a send's attempts in doubt, or the named one: they did not go out, and their use of the caps is given back.
-- The caller holds the lane and the row, and has called send_lock_lanes.
create or replace function send_release(send_id uuid, attempt_id uuid) returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_attempt uuid;
begin
    for v_attempt in
        update send_attempts b set outcome = 'released'
        where b.send_id = send_release.send_id and b.outcome = 'uncertain'
          and (attempt_id is null or b.id = attempt_id)
        returning b.id
    loop
        perform send_give_back(v_attempt);
    end loop;
end
$$;
