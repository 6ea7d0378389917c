-- Return the suppressions, newest first, one JSON object each: all, or those of a workspace, a recipient, a channel.
create or replace function send_suppression_list(workspace text default null, recipient text default null,
    channel text default null, max_rows int default 100)
returns setof jsonb language plpgsql stable set timezone = 'UTC'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_workspace uuid := case when workspace is not null then send_find('workspace', workspace, null) end;
begin
    perform send_check_channel(send_suppression_list.channel);
    return query
    select jsonb_build_object('workspace', w.name, 'recipient', s.recipient, 'channel', s.channel, 'reason', s.reason,
        'since', s.since)
    from send_suppressions s join send_workspaces w on w.id = s.workspace_id
    where (v_workspace is null or s.workspace_id = v_workspace)
      and (send_suppression_list.recipient is null
           or s.recipient = send_normal_recipient(send_suppression_list.recipient))
      and (send_suppression_list.channel is null or s.channel = send_suppression_list.channel)
    order by s.since desc, s.id desc limit max_rows;
end
$$;
