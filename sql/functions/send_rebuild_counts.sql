-- Count all rows anew. For a queue whose triggers were passed by (a restore without them, TRUNCATE); nobody changes a
-- row meanwhile.
create or replace function send_rebuild_counts() returns void language sql as $$
    select send_needs_read_committed();
    lock table send_queue in share row exclusive mode;
    delete from send_counts;
    insert into send_counts (campaign_id, account_id, channel, status, n, folded)
    select q.campaign_id, q.account_id, q.channel, q.status, count(*), true
    from send_queue q group by q.campaign_id, q.account_id, q.channel, q.status;
$$;
