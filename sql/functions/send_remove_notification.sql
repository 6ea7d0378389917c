-- Remove a notification. Its rows already in the queue still go out. Raises SQ005 if it does not exist.
create or replace function send_remove_notification(id uuid) returns void language plpgsql as $$
#variable_conflict use_column
begin
    delete from send_notifications n where n.id = send_remove_notification.id;
    if not found then
        raise exception 'There is no notification %: find one with `send-queue notify list`.',
            send_remove_notification.id using errcode = 'SQ005';
    end if;
end
$$;
