-- Count all rows anew, after changes past the triggers (a restore without them, TRUNCATE). Locks out writers.
create or replace function send_rebuild_counts() returns void language sql as $$
    select send_needs_read_committed();
    lock table send_queue in share row exclusive mode;
    delete from send_counts;
    insert into send_counts (campaign_id, account_id, channel, status, n, folded)
    select q.campaign_id, q.account_id, q.channel, q.status, count(*), true
    from send_queue q group by q.campaign_id, q.account_id, q.channel, q.status;
$$;
