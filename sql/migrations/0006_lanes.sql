-- An account uses a channel through a lane: the unit of caps, pacing, pauses and provider holds, and the row that a
-- claim locks.
create table send_lanes (
    account_id        uuid not null references send_accounts on delete cascade,
    channel           text not null,
    daily_cap         int,
    weekly_cap        int,
    cap_timezone      text not null default 'UTC',
    min_gap_seconds   int not null default 0,
    jitter_seconds    int not null default 0,
    max_in_flight     int not null default 1,
    warm_up_start     int,
    warm_up_step      int,
    warm_up_began     date,
    -- No send before this moment. A claim that finds the lane at a limit writes here when to look again, so that a
    -- waiting lane costs the next claim nothing; a change of the limit sets it back.
    next_at           timestamptz not null default 'epoch',
    next_at_reason    text,
    next_at_detail    text,
    consecutive_holds int not null default 0,
    -- No send before, whatever waits: no campaign of the account is open, or a person stopped it (send_close_lanes).
    closed_until      timestamptz not null default 'epoch',
    paused_at         timestamptz,
    pause_reason      text,
    idle_until        timestamptz not null default 'epoch', -- the lane has nothing due before (send_mark_idle)
    -- When a claim last took rows, at first when the lane was made; by the server's clock even in a rehearsal, since it
    -- orders lanes and nobody waits for it.
    served_at         timestamptz not null default clock_timestamp(),
    turns             bigint not null default 0, -- counts the turns of its campaigns (send_turns)
    primary key (account_id, channel),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint caps_are_not_negative check (daily_cap >= 0 and weekly_cap >= 0),
    constraint gaps_are_not_negative check (min_gap_seconds >= 0 and jitter_seconds >= 0),
    constraint max_in_flight_is_positive check (max_in_flight > 0),
    constraint warm_up_is_whole check (num_nulls(warm_up_start, warm_up_step, warm_up_began) in (0, 3)),
    constraint warm_up_is_not_negative check (warm_up_start >= 0 and warm_up_step >= 0),
    constraint next_at_reason_is_known check (next_at_reason in
        ('daily_cap', 'weekly_cap', 'rate_limit', 'min_gap', 'provider_hold', 'cap_timezone')),
    -- Its last day means: a person must act.
    constraint next_at_is_in_the_calendar check (
        next_at >= '0002-01-01 00:00+00' and next_at <= '9999-12-31 00:00+00')
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0);
-- The claim walks this, oldest first: lanes take turns, and a claim never meets a lane that must wait.
create index lanes_by_turn on send_lanes (greatest(next_at, closed_until, idle_until), served_at)
    where paused_at is null;
-- A recorded send ends its lane's ladder of holds: few lanes are on one.
create index lanes_on_a_ladder on send_lanes (account_id, channel) where consecutive_holds > 0;
-- Each claim asks whether the server lacks a lane's zone.
create index lanes_of_unknown_zones on send_lanes (account_id, channel) where next_at_reason = 'cap_timezone';

-- Lanes that the next claim wakes (send_apply_wakes): a row came due in one that is marked idle (send_on_waiting), or
-- one that somebody held waits for a limit that has room again (send_lock_lanes). Whoever writes it waits for nobody.
create table send_wakes (
    account_id uuid not null,
    channel    text not null,
    constraint lane_exists foreign key (account_id, channel) references send_lanes on delete cascade
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
-- A publication of all tables lets nobody delete from a table without a key otherwise.
alter table send_wakes replica identity full;

-- What a new lane begins with. Data of the operator's: a change holds for lanes made from then on.
create table send_lane_defaults (
    channel         text not null,
    tier            text not null,
    daily_cap       int,
    weekly_cap      int,
    min_gap_seconds int not null default 0,
    jitter_seconds  int not null default 0,
    max_in_flight   int not null default 1,
    primary key (channel, tier),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint tier_is_known check (tier in ('free', 'premium', 'sales_navigator')),
    constraint caps_are_not_negative check (daily_cap >= 0 and weekly_cap >= 0),
    constraint gaps_are_not_negative check (min_gap_seconds >= 0 and jitter_seconds >= 0),
    constraint max_in_flight_is_positive check (max_in_flight > 0)
);
-- LinkedIn: conservative figures that teams report; the networks' own pages disagree with each other. A lane has pauses
-- from its first minute: sends without any look like a machine's and cost the seat. With the gap and half of the jitter
-- on average, it reaches the cap of a day within eight hours.
insert into send_lane_defaults (channel, tier, daily_cap, weekly_cap, min_gap_seconds, jitter_seconds) values
    ('linkedin_invite', 'free', 20, 100, 600, 600),
    ('linkedin_invite', 'premium', 50, 100, 300, 300),
    ('linkedin_invite', 'sales_navigator', 100, 100, 180, 120),
    ('linkedin_message', 'free', 100, null, 180, 120),
    ('linkedin_message', 'premium', 100, null, 180, 120),
    ('linkedin_message', 'sales_navigator', 100, null, 180, 120);
insert into send_lane_defaults (channel, tier, daily_cap) values
    ('email', 'free', 10000), ('email', 'premium', 10000), ('email', 'sales_navigator', 10000),
    ('sms', 'free', 5000), ('sms', 'premium', 5000), ('sms', 'sales_navigator', 5000);

-- A rolling limit: at most max_sends in any such period, over an account or its whole workspace, on one channel or all.
create table send_limits (
    id           uuid primary key default send_uuid(),
    workspace_id uuid not null references send_workspaces,
    account_id   uuid,
    channel      text,
    per          interval not null,
    max_sends    int not null,
    constraint limit_of_an_account_of_its_workspace foreign key (workspace_id, account_id)
        references send_accounts (workspace_id, id) on delete cascade,
    constraint channel_is_known check (send_is_channel(channel)),
    constraint period_is_positive check (per > interval '0'),
    -- No moment can be worked out beyond the calendar's end, and nothing would go any more.
    constraint period_is_within_ten_years check (per <= interval '10 years'),
    constraint max_sends_is_positive check (max_sends > 0)
);
create unique index limit_is_said_once on send_limits
    (workspace_id, coalesce(account_id, workspace_id), coalesce(channel, ''), per);

-- The rolling limits that come with a new lane: usual for senders without a reputation yet. Data of the operator's.
create table send_limit_defaults (
    channel   text not null,
    scope     text not null,
    per       interval not null,
    max_sends int not null,
    primary key (channel, scope, per),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint scope_is_known check (scope in ('account', 'workspace')),
    constraint period_is_positive check (per > interval '0'),
    constraint period_is_within_ten_years check (per <= interval '10 years'),
    constraint max_sends_is_positive check (max_sends > 0)
);
insert into send_limit_defaults (channel, scope, per, max_sends) values
    ('email', 'account', '1 minute', 20), ('email', 'account', '1 hour', 1000),
    ('email', 'workspace', '1 minute', 20), ('email', 'workspace', '1 hour', 1000),
    ('email', 'workspace', '1 day', 10000),
    ('sms', 'account', '1 minute', 10), ('sms', 'account', '1 hour', 500),
    ('sms', 'workspace', '1 minute', 10), ('sms', 'workspace', '1 hour', 500), ('sms', 'workspace', '1 day', 5000);

-- Quiet hours are those of the recipient, in their own time zone; a campaign may have its own.
create table send_quiet_hours (
    channel     text primary key,
    quiet_from  time not null,
    quiet_until time not null,
    constraint channel_is_known check (send_is_channel(channel))
);
-- 47 CFR 64.1200 (c)(1): no calls, which include text messages, before 8 in the morning or after 9 in the evening,
-- local time at the called party's location.
insert into send_quiet_hours (channel, quiet_from, quiet_until) values ('sms', '21:00', '08:00');
