-- Mark the refused secret of an account that has sent as good again, for all accounts that share it, and end their
-- holds.
create or replace function send_secret_works(account_id uuid) returns void language plpgsql
set lock_timeout = '2s' as $$
begin
    perform send_end_refusals(send_same_secret(send_secret_works.account_id));
end
$$;
