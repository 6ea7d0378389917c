-- What a provider must know of an account beside its secret: a from-address, a server, a page. In a campaign an account
-- may say otherwise, so the place in the campaign has settings too, which go before.
alter table send_accounts add column settings jsonb not null default '{}',
    add constraint settings_are_an_object check (jsonb_typeof(settings) = 'object');
alter table send_campaign_accounts add column settings jsonb not null default '{}',
    add constraint settings_are_an_object check (jsonb_typeof(settings) = 'object');

-- Tokens that are granted to an account and renewed before they end. Both are sealed by a key of the environment's, so
-- that whoever reads the table, or a backup of it, has nothing. A pair is written here before it is used.
create table send_tokens (
    account_id         uuid primary key references send_accounts on delete cascade,
    access_token       text not null,
    refresh_token      text,
    expires_at         timestamptz, -- of the access token; null: it does not end by itself
    refresh_expires_at timestamptz,
    refreshed_at       timestamptz not null,
    -- Since when a renewal is under way whose answer nobody has written down: a crash may have lost the pair.
    renewing_since     timestamptz,
    error_code         text,
    error_message      text
);
