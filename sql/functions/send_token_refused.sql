-- The provider gives nothing for these tokens, ever: the account is disconnected, says why, and its rows wait until a
-- person has connected it again. One that is paused stays so, and one that sends with another secret goes on. Only whoever
-- has the lease says so: another may have been given new ones meanwhile.
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
