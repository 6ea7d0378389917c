-- The accounts whose provider refuses the same variable's secret as an account's, itself among them; none where its
-- secret is not refused. Such a secret is mended once for all of them.
create or replace function send_same_secret(account_id uuid) returns uuid[] language sql stable as $$
    select array(
        select o.id from send_accounts a
        join send_accounts o on o.provider = a.provider and o.secret_refused = a.secret_refused
        where a.id = send_same_secret.account_id order by o.id)
$$;
