-- Return the accounts that share an account's refused secret: same provider and variable, itself included; none if its
-- secret is not refused. One remedy serves them all.
create or replace function send_same_secret(account_id uuid) returns uuid[] language sql stable as $$
    select array(
        select o.id from send_accounts a
        join send_accounts o on o.provider = a.provider and o.secret_refused = a.secret_refused
        where a.id = send_same_secret.account_id order by o.id)
$$;
