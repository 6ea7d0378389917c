-- Begin what happens at a moment that a caller gives, null: at the database's clock. Returns whether it is one that is
-- rehearsed (send_to_come): then all that is written to the end of the transaction is marked (send_on_rehearsal), and
-- limits count what was rehearsed (send_remaining_capacity).
create or replace function send_rehearse(at timestamptz) returns boolean language plpgsql as $$
declare
    v_at text := case when send_to_come(send_rehearse.at) then send_rehearse.at::text else '' end;
begin
    if v_at <> coalesce(current_setting('send_queue.rehearsed_at', true), '') then
        perform set_config('send_queue.rehearsed_at', v_at, true);
    end if;
    return v_at <> '';
end
$$;
