-- Return the first rows of a lane that quiet hours put off, by the end of these, at most max_rows (why in this form:
-- send_first_pending).
create or replace function send_first_deferred(account_id uuid, channel text, max_rows int)
returns table (id uuid, scheduled_for timestamptz) language sql stable as $$
    select head.id, head.scheduled_for
    from (select q.id, q.account_id, q.channel, q.scheduled_for from send_queue q
          where q.status = 'pending' and q.place is not null and (q.account_id, q.channel, q.scheduled_for)
              >= (send_first_deferred.account_id, send_first_deferred.channel, '-infinity')
          order by q.account_id, q.channel, q.scheduled_for limit send_first_deferred.max_rows) head
    where head.account_id = send_first_deferred.account_id and head.channel = send_first_deferred.channel
$$;
