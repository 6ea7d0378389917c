-- Return the moment from which tokens are renewed: with a third of the access token's life left, for several tries.
-- Null if they cannot be renewed, do not expire, or if the access token lasts as long as the refresh token: a renewed
-- one would expire at the same moment.
create or replace function send_token_renew_at(renewable boolean, expires_at timestamptz,
    refresh_expires_at timestamptz, at timestamptz)
returns timestamptz language sql stable as $$
    select case when renewable and (refresh_expires_at is null or expires_at < refresh_expires_at)
        then expires_at - greatest(expires_at - at, interval '0') / 3 end
$$;
