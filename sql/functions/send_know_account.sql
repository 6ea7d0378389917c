-- Note an account as the one that a prospect knows on a channel, if it is the first there.
create or replace function send_know_account(prospect_id uuid, channel text, account_id uuid) returns void
language plpgsql as $$
#variable_conflict use_column
begin
    update send_prospects p
    set account_id = coalesce(p.account_id, send_know_account.account_id),
        accounts = jsonb_build_object(send_know_account.channel, send_know_account.account_id) || p.accounts
    where p.id = send_know_account.prospect_id and not p.accounts ? send_know_account.channel;
end
$$;
