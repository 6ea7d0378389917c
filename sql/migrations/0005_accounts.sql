-- A workspace owns accounts, campaigns and prospects. An account is one seat, mailbox or number at a provider; a
-- schedule says at which hours of which days its sends may begin.
--
-- No schema is named anywhere: search_path decides. A constraint's name is the rule that it keeps.

create table send_workspaces (
    id             uuid primary key default send_uuid(),
    name           text not null constraint workspace_name_is_unique unique,
    timezone       text not null default 'UTC',
    paused_at      timestamptz,
    pause_reason   text,
    -- No campaign writes to a person within this time of another campaign's last message; 0: of any message; null: it
    -- may.
    skip_contacted interval,
    created_at     timestamptz not null default now(),
    constraint workspace_has_a_name check (name <> ''),
    constraint skip_contacted_is_a_time check (skip_contacted between interval '0' and interval '10 years')
);
insert into send_workspaces (name) values ('default');

create table send_schedules (
    id                  uuid primary key default send_uuid(),
    name                text not null constraint schedule_name_is_unique unique,
    timezone            text not null,
    hours               jsonb not null,
    skip_holidays       boolean not null default false,
    holiday_country     text,
    holiday_subdivision text,
    holiday_calendars   text[] not null default '{}', -- more of them: GB-ENG, NYSE, US:public,half_day@13:00
    closed_on           date[] not null default '{}',
    open_on             date[] not null default '{}',
    -- The cached window, worked out by the calendar for the moment window_since: valid from then until it closes. While
    -- it is null, and outside of it, the schedule counts as closed: a mistake can only make sends wait.
    opens_at            timestamptz,
    closes_at           timestamptz,
    window_since        timestamptz,
    later_windows       tstzrange[] not null default '{}', -- the next openings, so that explain can name the moment
    version             int not null default 1,
    created_at          timestamptz not null default now(),
    constraint schedule_has_a_name check (name <> ''),
    constraint hours_are_by_weekday check (jsonb_typeof(hours) = 'object'),
    constraint holidays_have_a_country
        check (not skip_holidays or holiday_country is not null or cardinality(holiday_calendars) > 0),
    -- By the server's own operator: any other in our schema would be used for ever.
    constraint no_day_is_both_open_and_closed check (not closed_on operator(pg_catalog.&&) open_on),
    constraint opens_before_closes check (opens_at < closes_at),
    constraint window_is_whole check (num_nulls(opens_at, closes_at, window_since) in (0, 3))
);
-- Stale windows: passed, or worked out for a later moment than the present one.
create index schedules_by_close on send_schedules (closes_at);
create index schedules_by_since on send_schedules (window_since);

create table send_accounts (
    id                  uuid primary key default send_uuid(),
    workspace_id        uuid not null references send_workspaces,
    name                text not null,
    provider            text not null,
    provider_account_id text,
    tier                text,
    schedule_id         uuid references send_schedules,
    status              text not null default 'active',
    status_reason       text,
    secret_env          text,
    settings            jsonb not null default '{}', -- a from-address, a server, a page; a campaign may override them
    -- The provider refused this secret. The account stays active, so that a working secret is enough to go on.
    secret_refused      text, -- the environment variable that holds it
    secret_refused_as   text, -- the code of the refusal
    secret_refused_at   timestamptz,
    created_at          timestamptz not null default now(),
    constraint account_name_is_unique_in_its_workspace unique (workspace_id, name),
    constraint account_of_a_workspace unique (workspace_id, id),
    -- One seat with two rows would have its caps twice.
    constraint provider_account_is_listed_once unique (provider, provider_account_id),
    constraint account_has_a_name check (name <> ''),
    constraint tier_is_known check (tier in ('free', 'premium', 'sales_navigator')),
    constraint account_status_is_known check (status in ('active', 'paused', 'disconnected')),
    constraint settings_are_an_object check (jsonb_typeof(settings) = 'object'),
    constraint refusal_is_whole check (
        num_nulls(secret_refused, secret_refused_as, secret_refused_at) in (0, 3))
);
create index accounts_by_schedule on send_accounts (schedule_id);
-- Notifications look for disconnected accounts; they and claims look for refused secrets. Both are few.
create index accounts_disconnected on send_accounts (workspace_id) where status = 'disconnected';
create index accounts_refused on send_accounts (workspace_id) where secret_refused is not null;

-- The channels that each provider declares, noted by `migrate` and `account add`. A provider without a row counts as
-- serving all. Every account serves the channel log.
create table send_provider_channels (
    provider text not null,
    channel  text not null,
    primary key (provider, channel),
    constraint channel_is_known check (send_is_channel(channel))
);

-- Tokens that a provider has granted to an account; `tokens refresh` renews them before they end. Both are sealed by a
-- key of the environment, so that the table, or a backup of it, reveals none. A pair is stored here before its first
-- use.
create table send_tokens (
    account_id         uuid primary key references send_accounts on delete cascade,
    access_token       text not null,
    refresh_token      text,
    expires_at         timestamptz, -- of the access token; null: it does not end by itself
    refresh_expires_at timestamptz,
    refreshed_at       timestamptz not null,
    renewing_since     timestamptz, -- a renewal whose answer is not stored yet: a crash may have lost the pair
    error_code         text,
    error_message      text,
    -- Null: nothing renews it. It does not end, has no refresh token, or the provider refused, and a person must
    -- reconnect.
    renew_at           timestamptz,
    constraint token_ends_in_the_calendar check (
        least(expires_at, refresh_expires_at) >= '0002-01-01 00:00+00'
        and greatest(expires_at, refresh_expires_at) < '9999-01-01 00:00+00')
);
create index tokens_by_renewal on send_tokens (renew_at) where renew_at is not null;
