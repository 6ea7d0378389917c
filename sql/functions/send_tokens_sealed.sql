-- Return all sealed tokens, for a change of keys.
create or replace function send_tokens_sealed()
returns table (account_id uuid, access_token text, refresh_token text) language sql stable as $$
    select t.account_id, t.access_token, t.refresh_token from send_tokens t order by t.account_id
$$;
