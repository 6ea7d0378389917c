-- Whether this transaction rehearses (send_rehearse) on a queue that has sent in earnest: then a sandbox's word changes no
-- account, no prospect and no suppression, and nobody is notified. A queue of its own shows all that would happen.
create or replace function send_leaves_no_trace() returns boolean language sql stable as $$
    select coalesce(current_setting('send_queue.rehearsed_at', true), '') <> ''
        and exists (select from send_usage u where u.used > u.rehearsed)
$$;
