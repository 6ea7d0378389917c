-- Suppress recipients of a workspace. A null channel means every channel, and then also the other addresses of the same
-- prospects (send_other_addresses). Present suppressions stay unchanged. Returns the number of entries that are new.
--
-- entries  [{recipient, channel, reason}, ...]
create or replace function send_suppress(workspace_id uuid, entries jsonb, at timestamptz default null) returns int
language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_n int;
begin
    perform send_check_channel(e.channel) from jsonb_to_recordset(entries) e (channel text);
    -- Insert in one order: two calls with the same recipients wait, but cannot deadlock.
    with given as materialized (
        select send_normal_recipient(e.recipient) as key, e.recipient, e.channel,
            coalesce(nullif(btrim(e.reason), ''), 'by hand') as reason
        from jsonb_to_recordset(entries) e (recipient text, channel text, reason text)
    ), everybody as (
        select g.key, g.recipient, g.channel, g.reason, 1 as nth from given g
        union all
        select a.address, a.address, null, g.reason, 2
        from given g cross join lateral send_other_addresses(send_suppress.workspace_id, g.recipient) a (address)
        where g.channel is null
    ), stored as (
        insert into send_suppressions (workspace_id, channel, recipient, reason, since)
        select send_suppress.workspace_id, e.channel, e.recipient, e.reason,
            coalesce(send_suppress.at, clock_timestamp())
        from (select distinct on (o.key, o.channel) o.* from everybody o order by o.key, o.channel, o.nth) e
        order by e.key, e.channel
        on conflict do nothing
        returning recipient, channel
    )
    select count(*) into v_n
    from stored s join (select distinct g.key, g.channel from given g) g
        on g.key = s.recipient and g.channel is not distinct from s.channel;
    return v_n;
end
$$;
