-- Disconnect the accounts with an expired token that cannot be renewed, so that their sends need not fail one by one.
-- Returns the accounts, {account, provider, code, message} each.
create or replace function send_tokens_end(at timestamptz default null) returns setof jsonb language plpgsql as $$
#variable_conflict use_column
declare
    v_at    timestamptz := coalesce(send_tokens_end.at, clock_timestamp());
    v_code  text := 'token_ended';
    v_ended uuid[] := array(
        select a.id from send_tokens t join send_accounts a on a.id = t.account_id
        where t.expires_at <= v_at and (t.renew_at is null or t.refresh_expires_at <= v_at)
          and a.status = 'active' and a.secret_env is null);
begin
    perform send_refuse_copy();
    if cardinality(v_ended) = 0 then
        return;
    end if;
    perform send_lock_gates();
    perform from send_accounts a where a.id = any (v_ended) order by a.id for no key update;
    return query
        update send_accounts a
        set status = 'disconnected', status_reason = concat_ws(': ', v_code, m.message)
        from send_tokens t cross join lateral (
            select format('Its token ended at %s, and nothing can renew it: connect it again, store its new tokens with '
                '`send-queue tokens set`, then resume it.',
                to_char(t.expires_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) as message) m
        where a.id = any (v_ended) and t.account_id = a.id and a.status = 'active' and a.secret_env is null
          and t.expires_at <= v_at and (t.renew_at is null or t.refresh_expires_at <= v_at) -- again, under the lock
        returning jsonb_build_object('account', a.name, 'provider', a.provider, 'code', v_code, 'message', m.message);
end
$$;
