-- Return the notifications, one JSON object each, by workspace.
create or replace function send_list_notifications() returns setof jsonb language sql stable
set timezone = 'UTC' set intervalstyle = 'postgres'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select jsonb_build_object('id', n.id, 'workspace', w.name, 'event', n.event, 'provider', a.provider,
        'to', n.recipient, 'every', n.every, 'told_at', n.told_at)
    from send_notifications n
    join send_workspaces w on w.id = n.workspace_id
    join send_accounts a on a.id = n.account_id
    order by w.name, n.recipient, n.event
$$;
