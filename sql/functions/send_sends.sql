-- Return rows of the queue for people and scripts: by status, account, channel and campaign; or one by id, with its
-- attempts. Raises SQ005 for an unknown id or name.
--
-- Pending rows are ordered by due time; another status by the time since when it holds; all together by entry. `since`
-- and `until` bound that time, and `newest` turns the order round. Each order is that of an index, so the first rows
-- cost the same however many follow. For a status spread over lanes or campaigns, the head of each is read first, then
-- only those with the first heads. Names are looked up by id for the chosen rows alone.
create or replace function send_sends(id uuid default null, status text default null, account text default null,
    channel text default null, campaign text default null, max_rows int default 50, recipient text default null,
    name text default null, since timestamptz default null, until timestamptz default null,
    newest boolean default false)
returns setof jsonb language plpgsql stable set timezone = 'UTC' set plan_cache_mode = force_custom_plan
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_since     timestamptz := coalesce(send_sends.since, '-infinity');
    v_until     timestamptz := coalesce(send_sends.until, 'infinity');
    v_accounts  uuid[];
    v_campaigns uuid[];
    v_query     text;
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
    if account is not null then
        v_accounts := array(select a.id from send_accounts a where a.name = send_sends.account);
    end if;
    if campaign is not null then
        v_campaigns := array(select c.id from send_campaigns c where c.name = send_sends.campaign);
    end if;

    -- $1 status, $2 accounts, $3 channel, $4 campaigns, $5 and $6 the bounds, $7 the number; %1$s the direction. Text,
    -- since a plan has one direction.
    case
        when recipient is not null or name is not null then
            v_query := $q$
                select q.id from send_of_person($8, $9) p (id)
                cross join lateral (select * from send_queue q where q.id = p.id limit 1) q
                cross join lateral (select case when $1 is null then q.created_at when $1 = 'pending'
                    then q.scheduled_for else q.updated_at end as moment) m
                where ($1 is null or q.status = $1) and m.moment between $5 and $6
                  and ($2 is null or q.account_id = any ($2)) and ($4 is null or q.campaign_id = any ($4))
                  and ($3 is null or q.channel = $3)
                order by m.moment %1$s, q.id %1$s limit $7 $q$;
        when status is null then
            v_query := $q$
                select q.id from send_queue q
                where q.id >= send_first_id($5) and q.id < send_first_id($6)
                  and ($2 is null or q.account_id = any ($2)) and ($4 is null or q.campaign_id = any ($4))
                  and ($3 is null or q.channel = $3)
                order by q.id %1$s limit $7 $q$;
            v_until := v_until + interval '1 millisecond';
        when status = 'pending' and account is null and campaign is null then
            v_query := $q$
                select q.id from send_queue q
                where q.status = 'pending' and q.scheduled_for between $5 and $6 and ($3 is null or q.channel = $3)
                order by q.scheduled_for %1$s limit $7 $q$;
        when status = 'pending' then
            v_query := $q$
                select q.id from (
                    select l.account_id, l.channel, p.campaign_id
                    from send_campaign_accounts p
                    join send_lanes l on l.account_id = p.account_id
                    cross join lateral (
                        select q.scheduled_for from send_queue q
                        where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.scheduled_for)
                            between (l.account_id, l.channel, p.campaign_id, $5)
                            and (l.account_id, l.channel, p.campaign_id, $6)
                        order by q.account_id %1$s, q.channel %1$s, q.campaign_id %1$s, q.scheduled_for %1$s limit 1) head
                    where ($2 is null or p.account_id = any ($2)) and ($4 is null or p.campaign_id = any ($4))
                      and ($3 is null or l.channel = $3)
                    order by head.scheduled_for %1$s limit $7) p
                cross join lateral (
                    select q.id, q.scheduled_for from send_queue q
                    where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.scheduled_for)
                        between (p.account_id, p.channel, p.campaign_id, $5)
                        and (p.account_id, p.channel, p.campaign_id, $6)
                    order by q.account_id %1$s, q.channel %1$s, q.campaign_id %1$s, q.scheduled_for %1$s limit $7) q
                order by q.scheduled_for %1$s limit $7 $q$;
        when status = 'sending' then -- few, with an index of their own
            v_query := $q$
                select q.id from send_queue q
                where q.status = 'sending' and q.updated_at between $5 and $6
                  and ($2 is null or q.account_id = any ($2)) and ($4 is null or q.campaign_id = any ($4))
                  and ($3 is null or q.channel = $3)
                order by q.updated_at %1$s limit $7 $q$;
        when status = 'uncertain' or status = 'failed' and campaign is null then
            v_query := $q$
                select q.id from send_queue q
                where q.status in ('failed', 'uncertain') and (q.status, q.updated_at) between ($1, $5) and ($1, $6)
                  and ($2 is null or q.account_id = any ($2)) and ($4 is null or q.campaign_id = any ($4))
                  and ($3 is null or q.channel = $3)
                order by q.status %1$s, q.updated_at %1$s limit $7 $q$;
        else
            v_query := $q$
                select q.id from (
                    select c.id, head.updated_at
                    from send_campaigns c
                    cross join lateral (
                        select q.updated_at from send_queue q
                        where q.status in ('sent', 'failed', 'skipped') and (q.campaign_id, q.status, q.updated_at)
                              between (c.id, $1, $5) and (c.id, $1, $6)
                        order by q.campaign_id %1$s, q.status %1$s, q.updated_at %1$s limit 1) head
                    where $4 is null or c.id = any ($4)
                    order by head.updated_at %1$s limit case when $2 is null and $3 is null then $7 end) c
                cross join lateral (
                    select q.id, q.updated_at from send_queue q
                    where q.status in ('sent', 'failed', 'skipped') and (q.campaign_id, q.status, q.updated_at)
                          between (c.id, $1, $5) and (c.id, $1, $6)
                      and ($2 is null or q.account_id = any ($2)) and ($3 is null or q.channel = $3)
                    order by q.campaign_id %1$s, q.status %1$s, q.updated_at %1$s limit $7) q
                order by q.updated_at %1$s limit $7 $q$;
    end case;
    execute format('select array(' || v_query || ')', case when newest then 'desc' else 'asc' end) into v_ids
        using status, v_accounts, channel, v_campaigns, v_since, v_until, max_rows, recipient, name;

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
