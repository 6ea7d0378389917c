-- Suppress the recipients of failed sends, each on its channel, with the error code as the reason: the provider
-- reported that they opted out or do not exist. Call it last in a transaction: it may wait for another that suppresses
-- the same recipients.
create or replace function send_suppress_of(ids uuid[], at timestamptz) returns void language sql as $$
    insert into send_suppressions (workspace_id, channel, recipient, reason, since)
    select q.workspace_id, q.channel, q.recipient, q.error_code, send_suppress_of.at
    from send_queue q
    where q.id = any (ids) and q.status = 'failed'
    order by send_normal_recipient(q.recipient), q.channel
    on conflict do nothing
$$;
