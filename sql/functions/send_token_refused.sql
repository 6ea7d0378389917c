-- Disconnect an account whose tokens the provider refuses for good: its rows wait until a person reconnects it. A
-- paused account stays paused; an account with a secret of its own goes on. Only the holder of the lease changes
-- anything, since the account may have got new tokens meanwhile. Returns whether it did.
create or replace function send_token_refused(account_id uuid, renewing_since timestamptz, code text, message text)
returns boolean language plpgsql as $$
#variable_conflict use_column
begin
    perform send_lock_gates();
    perform from send_accounts a where a.id = send_token_refused.account_id for no key update;
    update send_tokens t
    set renew_at = null, renewing_since = null, error_code = code, error_message = message
    where t.account_id = send_token_refused.account_id and t.renewing_since = send_token_refused.renewing_since;
    if not found then
        return false;
    end if;
    update send_accounts a
    set status = 'disconnected', status_reason = concat_ws(': ', code, nullif(message, ''))
    where a.id = send_token_refused.account_id and a.status = 'active' and a.secret_env is null;
    return true;
end
$$;
