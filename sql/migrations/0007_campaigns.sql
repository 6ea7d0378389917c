-- A campaign is a list of sends with one schedule, one way of trying again, and a pool of accounts.
create table send_campaigns (
    id              uuid primary key default send_uuid(),
    workspace_id    uuid not null references send_workspaces,
    name            text not null,
    status          text not null default 'active',
    pause_reason    text,
    schedule_id     uuid references send_schedules, -- null: the account's
    max_attempts    int not null default 3,
    backoff_seconds int[] not null default '{300,900,3600}',
    on_uncertain    text not null default 'hold',
    follow_up_after interval not null default '3 days',
    -- Its own quiet hours, or none (both alike); null: the channel's.
    quiet_from      time,
    quiet_until     time,
    skip_contacted  interval, -- as of send_workspaces; null: the workspace's
    country         text,     -- of phone numbers that do not name theirs (rules/recipients.py)
    created_at      timestamptz not null default now(),
    constraint campaign_name_is_unique_in_its_workspace unique (workspace_id, name),
    constraint campaign_of_a_workspace unique (workspace_id, id),
    constraint campaign_has_a_name check (name <> ''),
    constraint campaign_status_is_known check (status in ('active', 'paused', 'done')),
    constraint max_attempts_is_positive check (max_attempts > 0),
    constraint backoff_is_not_empty check (cardinality(backoff_seconds) > 0 and 0 <= all (backoff_seconds)),
    constraint on_uncertain_is_known check (on_uncertain in ('hold', 'resend')),
    -- Recording a send adds it to the moment of the send, and must never fail.
    constraint follow_up_is_within_ten_years check (follow_up_after between interval '0' and interval '10 years'),
    constraint quiet_hours_are_whole check (num_nulls(quiet_from, quiet_until) in (0, 2)),
    constraint skip_contacted_is_a_time check (skip_contacted between interval '0' and interval '10 years'),
    constraint country_has_two_letters check (country collate "C" ~ '^[A-Z]{2}$')
);
create index campaigns_by_schedule on send_campaigns (schedule_id);
create index send_campaigns_skip_contacted on send_campaigns (workspace_id) where skip_contacted is not null;

-- The accounts that a campaign sends from: each has a place. Sends without an account go to the pool only; an account
-- that was named for single sends is not in it.
create table send_campaign_accounts (
    workspace_id uuid not null,
    campaign_id  uuid not null,
    account_id   uuid not null,
    in_pool      boolean not null default true,
    settings     jsonb not null default '{}', -- they override the account's
    left_at      timestamptz, -- null: it is in the pool, or never was
    primary key (campaign_id, account_id),
    constraint campaign_account_of_a_workspace unique (workspace_id, campaign_id, account_id),
    constraint campaign_is_of_the_workspace foreign key (workspace_id, campaign_id)
        references send_campaigns (workspace_id, id) on delete cascade,
    constraint account_is_of_the_workspace foreign key (workspace_id, account_id)
        references send_accounts (workspace_id, id) on delete cascade,
    constraint settings_are_an_object check (jsonb_typeof(settings) = 'object')
);
-- The claim asks a lane's account for its campaigns.
create index campaigns_of_an_account on send_campaign_accounts (account_id);

-- The account that writes for a campaign to the people of another account, which has left the pool (send_reassign).
create table send_successors (
    workspace_id uuid not null,
    campaign_id  uuid not null,
    account_id   uuid not null,
    channel      text not null,
    successor_id uuid not null,
    primary key (campaign_id, account_id, channel),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint nobody_succeeds_themselves check (successor_id <> account_id),
    constraint account_has_a_place foreign key (workspace_id, campaign_id, account_id)
        references send_campaign_accounts (workspace_id, campaign_id, account_id) on delete cascade,
    constraint successor_has_a_place foreign key (workspace_id, campaign_id, successor_id)
        references send_campaign_accounts (workspace_id, campaign_id, account_id) on delete cascade
);

-- Campaigns of one lane take turns at the same priority: the one whose last turn is oldest goes first. A counter and no
-- clock, so that neither a wrong clock nor a rehearsal keeps a campaign waiting.
create table send_turns (
    account_id  uuid not null,
    channel     text not null,
    campaign_id uuid not null,
    turn        bigint not null, -- its last one, of send_lanes.turns
    primary key (account_id, channel, campaign_id),
    constraint lane_exists foreign key (account_id, channel) references send_lanes on delete cascade,
    constraint account_sends_for_the_campaign foreign key (campaign_id, account_id)
        references send_campaign_accounts (campaign_id, account_id) on delete cascade
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
