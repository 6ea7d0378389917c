-- Tell whether a send was cancelled and certainly never went out: another one for its recipient repeats nothing.
create or replace function send_may_repeat(id uuid) returns boolean language sql stable as $$
    select exists (
        select from send_queue q
        where q.id = send_may_repeat.id and q.status = 'skipped' and q.error_code = 'cancelled' and not exists (
            select from send_attempts b
            where b.send_id = q.id and (b.outcome is null or b.outcome in ('sent', 'already_done', 'uncertain'))))
$$;
