-- Suppress recipients of a workspace: entries [{recipient, channel, reason}, ...]; a channel that is null means all. Those
-- who are suppressed already are left as they are. Returns how many were not.
create or replace function send_suppress(workspace_id uuid, entries jsonb, at timestamptz default null) returns int
language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_n int;
begin
    perform send_check_channel(e.channel) from jsonb_to_recordset(entries) e (channel text);
    -- In one order, so that two of us who suppress the same people wait for each other and not in a circle.
    insert into send_suppressions (workspace_id, channel, recipient, reason, since)
    select send_suppress.workspace_id, e.channel, e.recipient, coalesce(nullif(btrim(e.reason), ''), 'by hand'),
        coalesce(send_suppress.at, clock_timestamp())
    from jsonb_to_recordset(entries) e (recipient text, channel text, reason text)
    order by send_normal_recipient(e.recipient), e.channel
    on conflict do nothing;
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
