-- Defer a failed renewal: it is retried later, and the account goes on with its present tokens. Only the holder of
-- the lease changes the row. Returns whether it did.
--
-- doubtful  the provider may have answered, and the answer is lost: the next renewal learns of it
create or replace function send_token_defer(account_id uuid, renewing_since timestamptz, code text, message text,
    after interval, doubtful boolean, at timestamptz default null)
returns boolean language plpgsql as $$
#variable_conflict use_column
begin
    update send_tokens t
    set renew_at = coalesce(send_token_defer.at, clock_timestamp()) + after,
        renewing_since = case when doubtful then t.renewing_since end, error_code = code, error_message = message
    where t.account_id = send_token_defer.account_id and t.renewing_since = send_token_defer.renewing_since;
    return found;
end
$$;
