-- From when tokens are renewed: when a third of the access token's life is left, so that several tries fit in. Null,
-- never, where nothing can renew them, where they do not end, and where the access token lasts as long as what it would be
-- renewed with: then another would end at the same moment.
create or replace function send_token_renew_at(renewable boolean, expires_at timestamptz,
    refresh_expires_at timestamptz, at timestamptz)
returns timestamptz language sql stable as $$
    select case when renewable and (refresh_expires_at is null or expires_at < refresh_expires_at)
        then expires_at - greatest(expires_at - at, interval '0') / 3 end
$$;
