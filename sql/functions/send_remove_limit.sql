-- Remove the rolling limit of an account or workspace, on a channel, for a period.
create or replace function send_remove_limit(per interval, account text default null, channel text default null,
    workspace text default null)
returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_account   uuid;
    v_workspace uuid;
    v_channel   text;
begin
    if account is not null then
        v_account := send_find('account', account, workspace);
        select a.workspace_id into v_workspace from send_accounts a where a.id = v_account;
    else
        v_workspace := send_find('workspace', coalesce(workspace, 'default'), null);
    end if;
    delete from send_limits m
    where m.workspace_id = v_workspace and m.account_id is not distinct from v_account
      and m.channel is not distinct from send_remove_limit.channel and m.per = send_remove_limit.per;
    if not found then
        if channel is null then
            select m.channel into v_channel from send_limits m
            where m.workspace_id = v_workspace and m.account_id is not distinct from v_account
              and m.per = send_remove_limit.per
            order by m.channel limit 1;
        end if;
        if v_channel is not null then
            raise exception 'There is no such limit for all channels, but one for %: add --channel %.', v_channel, v_channel
                using errcode = 'SQ005';
        end if;
        raise exception 'There is no such limit: see `send-queue limit list`.' using errcode = 'SQ005';
    end if;
end
$$;
