-- Return rows of the queue for people and scripts: by status, account, channel and campaign; or one by id, with its
-- attempts. Raises SQ005 for an unknown id or name.
--
-- Pending rows are ordered by due time, next first; another status by the time since when it holds; all together by
-- entry. Each order is that of an index, so the first rows cost the same however many follow. For a status spread over
-- lanes or campaigns, the head of each is read first, then only those with the first heads. Names are looked up by id
-- for the chosen rows alone.
create or replace function send_sends(id uuid default null, status text default null, account text default null,
    channel text default null, campaign text default null, max_rows int default 50, recipient text default null,
    name text default null)
returns setof jsonb language plpgsql stable set timezone = 'UTC' set plan_cache_mode = force_custom_plan
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_accounts  uuid[] := array(select a.id from send_accounts a where a.name = send_sends.account);
    v_campaigns uuid[] := array(select c.id from send_campaigns c where c.name = send_sends.campaign);
    v_ids       uuid[];
begin
    if id is not null then
        return query select to_jsonb(q) || jsonb_build_object('campaign', c.name, 'account', a.name, 'tries', (
            select coalesce(jsonb_agg(to_jsonb(b) order by b.number), '[]') from send_attempts b where b.send_id = q.id))
        from send_queue q join send_campaigns c on c.id = q.campaign_id join send_accounts a on a.id = q.account_id
        where q.id = send_sends.id;
        if not found then
            raise exception 'There is no send %: find one with `send-queue list`.', send_sends.id
                using errcode = 'SQ005';
        end if;
        return;
    end if;
    perform send_check_filters(account, channel, campaign);

    case
        when recipient is not null or name is not null then
            v_ids := array(
                select q.id from send_of_person(send_sends.recipient, send_sends.name) p (id)
                cross join lateral (select * from send_queue q where q.id = p.id limit 1) q
                where (send_sends.status is null or q.status = send_sends.status)
                  and (send_sends.account is null or q.account_id = any (v_accounts))
                  and (send_sends.campaign is null or q.campaign_id = any (v_campaigns))
                  and (send_sends.channel is null or q.channel = send_sends.channel)
                order by q.id limit max_rows);
        when status is null then
            v_ids := array(
                select q.id from send_queue q
                where (send_sends.account is null or q.account_id = any (v_accounts))
                  and (send_sends.campaign is null or q.campaign_id = any (v_campaigns))
                  and (send_sends.channel is null or q.channel = send_sends.channel)
                order by q.id limit max_rows);
        when status = 'pending' and account is null and campaign is null then
            v_ids := array(
                select q.id from send_queue q
                where q.status = 'pending' and (send_sends.channel is null or q.channel = send_sends.channel)
                order by q.scheduled_for limit max_rows);
        when status = 'pending' then
            v_ids := array(
                select q.id from (
                    select l.account_id, l.channel, p.campaign_id
                    from send_campaign_accounts p
                    join send_lanes l on l.account_id = p.account_id
                    cross join lateral (
                        select q.scheduled_for from send_queue q
                        where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.scheduled_for)
                            between (l.account_id, l.channel, p.campaign_id, '-infinity')
                            and (l.account_id, l.channel, p.campaign_id, 'infinity')
                        order by q.account_id, q.channel, q.campaign_id, q.scheduled_for limit 1) head
                    where (send_sends.account is null or p.account_id = any (v_accounts))
                      and (send_sends.campaign is null or p.campaign_id = any (v_campaigns))
                      and (send_sends.channel is null or l.channel = send_sends.channel)
                    order by head.scheduled_for limit max_rows) p
                cross join lateral (
                    select q.id, q.scheduled_for from send_queue q
                    where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.scheduled_for)
                        between (p.account_id, p.channel, p.campaign_id, '-infinity')
                        and (p.account_id, p.channel, p.campaign_id, 'infinity')
                    order by q.account_id, q.channel, q.campaign_id, q.scheduled_for limit max_rows) q
                order by q.scheduled_for limit max_rows);
        when status = 'sending' then -- few, with an index of their own
            v_ids := array(
                select q.id from send_queue q
                where q.status = 'sending' and (send_sends.account is null or q.account_id = any (v_accounts))
                  and (send_sends.campaign is null or q.campaign_id = any (v_campaigns))
                  and (send_sends.channel is null or q.channel = send_sends.channel)
                order by q.updated_at limit max_rows);
        when status = 'uncertain' or status = 'failed' and campaign is null then
            v_ids := array(
                select q.id from send_queue q
                where q.status in ('failed', 'uncertain') and (q.status, q.updated_at)
                      between (send_sends.status, '-infinity') and (send_sends.status, 'infinity')
                  and (send_sends.account is null or q.account_id = any (v_accounts))
                  and (send_sends.campaign is null or q.campaign_id = any (v_campaigns))
                  and (send_sends.channel is null or q.channel = send_sends.channel)
                order by q.status, q.updated_at limit max_rows);
        else
            v_ids := array(
                select q.id from (
                    select c.id, head.updated_at
                    from send_campaigns c
                    cross join lateral (
                        select q.updated_at from send_queue q
                        where q.status in ('sent', 'failed', 'skipped') and (q.campaign_id, q.status, q.updated_at)
                              between (c.id, send_sends.status, '-infinity') and (c.id, send_sends.status, 'infinity')
                        order by q.campaign_id, q.status, q.updated_at limit 1) head
                    where send_sends.campaign is null or c.id = any (v_campaigns)
                    order by head.updated_at limit case when account is null and channel is null then max_rows end) c
                cross join lateral (
                    select q.id, q.updated_at from send_queue q
                    where q.status in ('sent', 'failed', 'skipped') and (q.campaign_id, q.status, q.updated_at)
                          between (c.id, send_sends.status, '-infinity') and (c.id, send_sends.status, 'infinity')
                      and (send_sends.account is null or q.account_id = any (v_accounts))
                      and (send_sends.channel is null or q.channel = send_sends.channel)
                    order by q.campaign_id, q.status, q.updated_at limit max_rows) q
                order by q.updated_at limit max_rows);
    end case;

    return query select jsonb_build_object('id', q.id, 'status', q.status, 'scheduled_for', q.scheduled_for,
        'sent_at', q.sent_at, 'account', (select a.name from send_accounts a where a.id = q.account_id),
        'channel', q.channel, 'campaign', (select c.name from send_campaigns c where c.id = q.campaign_id),
        'recipient', q.recipient, 'priority', q.priority, 'attempts', q.attempts, 'error_code', q.error_code,
        'error_message', q.error_message, 'name', (
            select coalesce(p.name, nullif(concat_ws(' ', p.first_name, p.last_name), '')) from send_prospects p
            where p.id = q.prospect_id))
    from unnest(v_ids) i (id) cross join lateral (select * from send_queue q where q.id = i.id limit 1) q;
end
$$;
