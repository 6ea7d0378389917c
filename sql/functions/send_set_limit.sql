-- Set a rolling limit (max_sends per period) of an account or workspace, on a channel, for a period. Returns it as
-- send_list shows it.
create or replace function send_set_limit(max_sends int, per interval, account text default null,
    channel text default null, workspace text default null)
returns jsonb language plpgsql as $$
#variable_conflict use_column
declare
    v_account   uuid;
    v_workspace uuid;
    v_id        uuid;
begin
    if account is not null then
        v_account := send_find('account', account, workspace);
        select a.workspace_id into v_workspace from send_accounts a where a.id = v_account;
    else
        v_workspace := send_find('workspace', coalesce(workspace, 'default'), null);
    end if;
    perform send_check_channel(channel);
    insert into send_limits as m (workspace_id, account_id, channel, per, max_sends)
    values (v_workspace, v_account, send_set_limit.channel, send_set_limit.per, send_set_limit.max_sends)
    on conflict (workspace_id, coalesce(account_id, workspace_id), coalesce(channel, ''), per)
        do update set max_sends = excluded.max_sends
    returning m.id into v_id;
    return (select l from send_list('limit', v_id, null) l);
end
$$;
