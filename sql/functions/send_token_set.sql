-- Store the sealed tokens that an account was granted when a person connected it, and clear the state of older ones;
-- the answer to a renewal of those still under way is discarded (send_token_store). Holds for an expired token end; a
-- disconnected account stays so until resumed. Returns the row as send_tokens_list shows it.
--
-- renewable  whether its provider renews these tokens
create or replace function send_token_set(account text, access_token text, refresh_token text default null,
    expires_at timestamptz default null, refresh_expires_at timestamptz default null, renewable boolean default false,
    workspace text default null, at timestamptz default null)
returns jsonb language plpgsql as $$
#variable_conflict use_column
declare
    v_at timestamptz := coalesce(send_token_set.at, clock_timestamp());
    v_id uuid := send_find('account', send_token_set.account, workspace);
begin
    perform from send_accounts a where a.id = v_id for no key update;
    insert into send_tokens as t (account_id, access_token, refresh_token, expires_at, refresh_expires_at, refreshed_at,
        renew_at)
    values (v_id, send_token_set.access_token, send_token_set.refresh_token, send_token_set.expires_at,
        send_token_set.refresh_expires_at, v_at, send_token_renew_at(renewable, send_token_set.expires_at,
            send_token_set.refresh_expires_at, v_at))
    on conflict (account_id) do update
    set access_token = excluded.access_token, refresh_token = excluded.refresh_token,
        expires_at = excluded.expires_at, refresh_expires_at = excluded.refresh_expires_at,
        refreshed_at = excluded.refreshed_at, renew_at = excluded.renew_at, renewing_since = null,
        error_code = null, error_message = null;
    perform send_end_holds(v_id, null, 'token_expired');
    return (select l from send_tokens_list(v_at, v_id) l);
end
$$;
