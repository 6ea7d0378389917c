-- Set the moment at which the transaction acts; null: the database's clock. Returns whether it rehearses
-- (send_to_come): then all rows written until its end are marked (send_on_rehearsal), and limits count rehearsed
-- attempts (send_remaining_capacity).
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
