-- Return whether this transaction rehearses (send_rehearse) on a queue that has sent in earnest: a sandbox's result
-- then changes no account, prospect or suppression, and no notification goes out. On a queue never used in earnest, a
-- rehearsal shows all effects.
create or replace function send_leaves_no_trace() returns boolean language sql stable as $$
    select coalesce(current_setting('send_queue.rehearsed_at', true), '') <> ''
        and exists (select from send_usage u where u.used > u.rehearsed)
$$;
