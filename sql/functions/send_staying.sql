-- Count the sends of an account that can move to another account, and those that stay: {movable, doubtful, posts,
-- sending, uncertain}.
--
-- campaign_id, channel  these only; null: all
-- doubtful              pending, and an earlier try may have gone out: only the account that tried can look it up or
--                       repeat it
-- posts                 pending, for the account's own profile
create or replace function send_staying(account_id uuid, campaign_id uuid, channel text) returns jsonb
language plpgsql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
begin
    return (
        select jsonb_build_object(
            'movable', count(*) filter (where s.status = 'pending' and s.channel <> 'post' and not s.doubtful),
            'doubtful', count(*) filter (where s.status = 'pending' and s.channel <> 'post' and s.doubtful),
            'posts', count(*) filter (where s.status = 'pending' and s.channel = 'post'),
            'sending', count(*) filter (where s.status = 'sending'),
            'uncertain', count(*) filter (where s.status = 'uncertain'))
        from (
            select q.status, q.channel, q.status = 'pending' and exists (
                select from send_attempts b where b.send_id = q.id and b.outcome = 'uncertain') as doubtful
            from send_queue q
            where q.account_id = send_staying.account_id and q.status = any (array['pending', 'sending', 'uncertain'])
              and (send_staying.campaign_id is null or q.campaign_id = send_staying.campaign_id)
              and (send_staying.channel is null or q.channel = send_staying.channel)) s);
end
$$;
