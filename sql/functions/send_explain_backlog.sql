-- Return the rows that may go before a send, to be simulated: the pending rows of some lanes in the columns of
-- send_forecast_backlog, but each row by itself, in the order of its campaign.
--
-- accounts, channels  the lanes, the send's own first
-- max_rows            rows of a lane's campaign at most; four times as many in all
--
-- sought  position (nth) of the send itself; null: it is not among the rows
-- whole   whether all rows of the lane's campaign are included
create or replace function send_explain_backlog(send_id uuid, at timestamptz, accounts uuid[], channels text[],
    max_rows int)
returns table (account_id uuid, channel text, campaign_id uuid, turn bigint, priorities int[], scheduled bigint[],
    expires bigint[], counts int[], nths int[], places bigint[], quiets text[], sought int, whole boolean)
language sql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    with waiting as materialized (
        select o.account_id, o.channel, c.id as campaign_id, c.quiet_from is not null or exists (
                select from send_quiet_hours h where h.channel = o.channel) as quiet,
            q.id, q.priority, q.scheduled_for, q.place, q.expires_at
        from unnest(accounts, channels) with ordinality o (account_id, channel, nth)
        cross join lateral (select p.campaign_id from send_campaign_accounts p where p.account_id = o.account_id) p
        cross join lateral (select * from send_campaigns c where c.id = p.campaign_id and c.status = 'active' limit 1) c
        cross join lateral (
            select q.* from (
                select q.* from send_queue q
                where q.status = 'pending' and (q.account_id, q.channel, q.campaign_id, q.priority)
                    >= (o.account_id, o.channel, c.id, -32768)
                order by q.account_id, q.channel, q.campaign_id, q.priority, q.scheduled_for, q.id limit max_rows) q
            where q.account_id = o.account_id and q.channel = o.channel and q.campaign_id = c.id) q
        order by o.nth
        limit max_rows * 4
    ), known as (
        select w.*, d.words, coalesce(w.place, w.scheduled_for) as its_place,
            case when d.unknown then '9999-12-31' else w.scheduled_for end as due,
            row_number() over (partition by w.account_id, w.channel
                order by w.priority, coalesce(w.place, w.scheduled_for), w.id) as nth
        from waiting w
        left join lateral (
            select concat_ws(' ', to_char(z.quiet_from, 'HH24:MI'), to_char(z.quiet_until, 'HH24:MI'),
                    array_to_string(z.zones, ' ')) as words,
                exists (select from unnest(z.zones) zone
                        where send_local_time(send_explain_backlog.at, zone) is null) as unknown
            from send_quiet_of(w.id) z where z.quiet_from is not null) d on w.quiet
        where w.expires_at is null or w.expires_at > send_explain_backlog.at
    )
    select account_id, channel, campaign_id, coalesce((
            select t.turn from send_turns t
            where t.account_id = known.account_id and t.channel = known.channel and t.campaign_id = known.campaign_id), 0),
        array_agg(priority::int order by nth),
        array_agg(send_microseconds(due) order by nth),
        array_agg(coalesce(send_microseconds(expires_at), 0) order by nth),
        array_agg(1 order by nth), array_agg(nth::int order by nth),
        array_agg(send_microseconds(its_place) order by nth), array_agg(coalesce(words, '') order by nth),
        max(nth::int) filter (where id = send_explain_backlog.send_id),
        count(*) < max_rows and (select count(*) from waiting) < max_rows * 4
    from known group by account_id, channel, campaign_id
$$;
