-- Store the tokens that a provider gave in exchange for others, before their first use. Returns whether they are
-- stored: only while those others are still the stored ones, but even after the lease: a run taken for dead may hold
-- the only valid tokens, since the others work once.
--
-- refreshed_at   of the tokens shown to the provider; another moment means newer tokens
-- lasts          null: no expiry
-- refresh_lasts  null: as before
--
-- An account that another run disconnected meanwhile is connected again, and holds for an expired token end. Locks in
-- the common order: gates, account, tokens, lanes.
create or replace function send_token_store(account_id uuid, refreshed_at timestamptz, access_token text,
    refresh_token text default null, lasts interval default null, refresh_lasts interval default null,
    renewable boolean default true, at timestamptz default null)
returns boolean language plpgsql as $$
#variable_conflict use_column
declare
    v_at timestamptz := coalesce(send_token_store.at, clock_timestamp());
begin
    perform send_lock_gates();
    perform from send_accounts a where a.id = send_token_store.account_id for no key update;
    update send_tokens t
    set access_token = send_token_store.access_token, refresh_token = send_token_store.refresh_token,
        expires_at = v_at + lasts, refresh_expires_at = coalesce(v_at + refresh_lasts, t.refresh_expires_at),
        refreshed_at = v_at, renewing_since = null, error_code = null, error_message = null,
        renew_at = send_token_renew_at(renewable, v_at + lasts,
            coalesce(v_at + refresh_lasts, t.refresh_expires_at), v_at)
    where t.account_id = send_token_store.account_id and t.refreshed_at = send_token_store.refreshed_at;
    if not found then
        return false;
    end if;
    update send_accounts a set status = 'active', status_reason = null
    where a.id = send_token_store.account_id and a.status = 'disconnected'
      and split_part(a.status_reason, ':', 1) in ('token_refused', 'token_lost');
    perform send_end_holds(send_token_store.account_id, null, 'token_expired');
    return true;
end
$$;
