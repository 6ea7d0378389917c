-- Give the deferred rows of a lane whose quiet hours ended by `at` their places back, a thousand a call. Returns their
-- number. The caller holds the lane, and picks none of its rows until none are left: the first of all may be among
-- them.
create or replace function send_restore_places(account_id uuid, channel text, at timestamptz) returns int
language plpgsql as $$
#variable_conflict use_column
declare
    v_n int;
begin
    update send_queue q
    set scheduled_for = q.place, place = null, updated_at = send_restore_places.at,
        error_code = case when q.error_code not in ('quiet_hours', 'timezone') then q.error_code end,
        error_message = case when q.error_code not in ('quiet_hours', 'timezone') then q.error_message end
    where q.id = any (array(
        select o.id from send_queue o
        where o.status = 'pending' and o.place is not null and (o.account_id, o.channel, o.scheduled_for)
            between (send_restore_places.account_id, send_restore_places.channel, '-infinity')
            and (send_restore_places.account_id, send_restore_places.channel, send_restore_places.at)
        order by o.account_id, o.channel, o.scheduled_for limit (
            select count(*) from send_first_deferred(send_restore_places.account_id, send_restore_places.channel, 1000) d
            where d.scheduled_for <= send_restore_places.at)
        for update skip locked));
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
