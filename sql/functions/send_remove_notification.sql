-- Tell somebody no more. What is in the queue for them already goes out. Raises SQ005 where there is no such one.
create or replace function send_remove_notification(id uuid) returns void language plpgsql as $$
#variable_conflict use_column
begin
    delete from send_notifications n where n.id = send_remove_notification.id;
    if not found then
        raise exception 'There is no notification %: see which there are with `send-queue notify list`.',
            send_remove_notification.id using errcode = 'SQ005';
    end if;
end
$$;
