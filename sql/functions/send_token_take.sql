-- Claim the renewal of the tokens due first. The lease stands in the row, so that no other run renews them during the
-- provider's call, without an open transaction. After a lease that expired, the next claim is `doubtful`: an answer may
-- be lost.
--
-- lease               time for which an earlier claim holds
-- within              claim also tokens that expire within that time; null: only due ones
-- account, workspace  only this account's
-- without             not those of these accounts
-- away                nor of these providers
--
-- Returns {account_id, account, workspace, provider, settings, access_token, refresh_token, refreshed_at,
-- renewing_since, doubtful}; null if none is due. Tokens past renewal are left to send_tokens_end.
create or replace function send_token_take(lease interval, within interval default null, account text default null,
    workspace text default null, without uuid[] default '{}', away text[] default '{}', at timestamptz default null)
returns jsonb language plpgsql set timezone = 'UTC' as $$
#variable_conflict use_column
declare
    v_at    timestamptz := coalesce(send_token_take.at, clock_timestamp());
    v_id    uuid := case when send_token_take.account is not null
                    then send_find('account', send_token_take.account, workspace) end;
    v_token send_tokens;
begin
    perform send_refuse_copy(); -- a provider may revoke the original's refresh tokens when a copy shows them
    select t.* into v_token
    from send_tokens t
    where t.renew_at <= case when send_token_take.within is null then v_at else 'infinity' end -- an index range
      and (t.renew_at <= v_at or t.expires_at <= v_at + send_token_take.within)
      and (t.refresh_expires_at is null or t.refresh_expires_at > v_at)
      and (t.renewing_since is null or t.renewing_since <= v_at - lease)
      and (v_id is null or t.account_id = v_id)
      and t.account_id <> all (without)
      and not exists (select from send_accounts a where a.id = t.account_id and a.provider = any (away))
    order by t.renew_at limit 1
    for no key update skip locked;
    if not found then
        return null;
    end if;
    update send_tokens t set renewing_since = v_at where t.account_id = v_token.account_id;
    return (
        select jsonb_build_object('account_id', a.id, 'account', a.name, 'workspace', w.name, 'provider', a.provider,
            'settings', a.settings, 'access_token', v_token.access_token, 'refresh_token', v_token.refresh_token,
            'refreshed_at', v_token.refreshed_at, 'renewing_since', v_at,
            'doubtful', v_token.renewing_since is not null)
        from send_accounts a join send_workspaces w on w.id = a.workspace_id
        where a.id = v_token.account_id);
end
$$;
