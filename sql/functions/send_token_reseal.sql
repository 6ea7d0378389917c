-- The same tokens under another seal. Not where they have been replaced in between: the new ones were sealed by whoever
-- wrote them, and the old ones must not come back.
create or replace function send_token_reseal(account_id uuid, was text, access_token text, refresh_token text default null)
returns boolean language plpgsql as $$
#variable_conflict use_column
begin
    update send_tokens t
    set access_token = send_token_reseal.access_token, refresh_token = send_token_reseal.refresh_token
    where t.account_id = send_token_reseal.account_id and t.access_token = was;
    return found;
end
$$;
