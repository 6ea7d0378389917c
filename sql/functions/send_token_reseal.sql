-- Store the same tokens under another seal, unless they were replaced meanwhile: old tokens must not return. Returns
-- whether they are stored.
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
