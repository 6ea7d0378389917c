-- The tables of send-queue.
--
-- A workspace owns accounts, campaigns and prospects. An account uses a channel through a lane: the unit of caps,
-- pacing, pausing and provider holds, and the row that a claim locks. A row of send_queue is one message to one
-- recipient; every try to send it is a row of send_attempts, written before the try, so that what may have gone
-- out is never forgotten; send_usage tallies those tries by day, in the same transaction.
--
-- No schema is named anywhere: search_path decides. A constraint's name is the rule that it keeps.

-- Ids are ordered by time where that is to be had: "then age" is then simply the order of ids.
do $$
begin
    if current_setting('server_version_num')::int >= 180000 then
        create function send_uuid() returns uuid language sql volatile parallel safe as 'select uuidv7()';
    else
        -- A version 7 UUID (RFC 9562): 48 bits of milliseconds, then the random bits of a version 4 one.
        create function send_uuid() returns uuid language sql volatile parallel safe as $f$
            select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
        $f$;
    end if;
end
$$;

-- Declared immutable so that a CHECK may use it: the set of zone names changes with the server's tz data only.
create function send_is_timezone(zone text) returns boolean language plpgsql immutable parallel safe as $$
begin
    perform now() at time zone zone;
    return true;
exception when invalid_parameter_value then
    return false;
end
$$;

create function send_is_channel(channel text) returns boolean language sql immutable parallel safe as $$
    select channel in ('linkedin_invite', 'linkedin_message', 'email', 'sms', 'post', 'webhook', 'log')
$$;

create table send_workspaces (
    id           uuid primary key default send_uuid(),
    name         text not null constraint workspace_name_is_unique unique,
    timezone     text not null default 'UTC',
    paused_at    timestamptz,
    pause_reason text,
    created_at   timestamptz not null default now(),
    constraint workspace_has_a_name check (name <> ''),
    constraint timezone_is_known check (send_is_timezone(timezone))
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
    closed_on           date[] not null default '{}',
    open_on             date[] not null default '{}',
    -- The cached window, worked out by the calendar for the moment window_since: valid from then until it closes.
    -- Outside of that, or while it is null, it is stale, and stale counts as closed: a mistake can only make us wait.
    opens_at            timestamptz,
    closes_at           timestamptz,
    window_since        timestamptz,
    later_windows       tstzrange[] not null default '{}', -- the openings after it, so that what waits can be told when
    version             int not null default 1,
    created_at          timestamptz not null default now(),
    constraint schedule_has_a_name check (name <> ''),
    constraint timezone_is_known check (send_is_timezone(timezone)),
    constraint hours_are_by_weekday check (jsonb_typeof(hours) = 'object'),
    constraint holidays_have_a_country check (not skip_holidays or holiday_country is not null),
    constraint no_day_is_both_open_and_closed check (not closed_on && open_on),
    constraint opens_before_closes check (opens_at < closes_at),
    constraint window_is_whole check (num_nulls(opens_at, closes_at, window_since) in (0, 3))
);
-- These two find the stale windows: passed, or worked out for a later moment than the one we are at.
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
    created_at          timestamptz not null default now(),
    constraint account_name_is_unique_in_its_workspace unique (workspace_id, name),
    constraint account_of_a_workspace unique (workspace_id, id),
    -- One seat with two rows would have its caps twice.
    constraint provider_account_is_listed_once unique (provider, provider_account_id),
    constraint account_has_a_name check (name <> ''),
    constraint tier_is_known check (tier in ('free', 'premium', 'sales_navigator')),
    constraint account_status_is_known check (status in ('active', 'paused', 'disconnected'))
);
create index accounts_by_schedule on send_accounts (schedule_id);

-- What a new lane begins with. Data of the operator's: change a row and the lanes made from then on have it.
create table send_lane_defaults (
    channel         text not null,
    tier            text not null,
    daily_cap       int,
    weekly_cap      int,
    primary key (channel, tier),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint tier_is_known check (tier in ('free', 'premium', 'sales_navigator')),
    constraint caps_are_not_negative check (daily_cap >= 0 and weekly_cap >= 0)
);
-- Invitations: conservative figures that teams report; the networks' own pages disagree with each other.
insert into send_lane_defaults (channel, tier, daily_cap, weekly_cap) values
    ('linkedin_invite', 'free', 20, 100),
    ('linkedin_invite', 'premium', 50, 100),
    ('linkedin_invite', 'sales_navigator', 100, 100),
    ('linkedin_message', 'free', 100, null),
    ('linkedin_message', 'premium', 100, null),
    ('linkedin_message', 'sales_navigator', 100, null);

create table send_lanes (
    account_id      uuid not null references send_accounts on delete cascade,
    channel         text not null,
    daily_cap       int,
    weekly_cap      int,
    cap_timezone    text not null default 'UTC',
    min_gap_seconds int not null default 0,
    jitter_seconds  int not null default 0,
    max_in_flight   int not null default 1,
    warm_up_start   int,
    warm_up_step    int,
    warm_up_began   date,
    -- May not send before. A claim that finds the lane at a limit writes here when to look again, so that a lane
    -- that must wait costs the next claim nothing; what changes the limit sets it back.
    next_at         timestamptz not null default 'epoch',
    next_at_reason  text,
    next_at_detail  text,
    holds_in_a_row  int not null default 0,
    -- Nothing goes before, whatever waits: no campaign of the account is open, or a person stopped it (send_close_lanes).
    closed_until    timestamptz not null default 'epoch',
    paused_at       timestamptz,
    pause_reason    text,
    primary key (account_id, channel),
    constraint channel_is_known check (send_is_channel(channel)),
    constraint caps_are_not_negative check (daily_cap >= 0 and weekly_cap >= 0),
    constraint cap_timezone_is_known check (send_is_timezone(cap_timezone)),
    constraint gaps_are_not_negative check (min_gap_seconds >= 0 and jitter_seconds >= 0),
    constraint max_in_flight_is_positive check (max_in_flight > 0),
    constraint warm_up_is_whole check (num_nulls(warm_up_start, warm_up_step, warm_up_began) in (0, 3)),
    constraint warm_up_is_not_negative check (warm_up_start >= 0 and warm_up_step >= 0),
    constraint next_at_reason_is_known check (next_at_reason in
        ('daily_cap', 'weekly_cap', 'rate_limit', 'min_gap', 'provider_hold'))
) with (fillfactor = 70);
-- The claim walks this, oldest first: lanes take turns, and one that must wait is not met at all.
create index lanes_by_turn on send_lanes (greatest(next_at, closed_until)) where paused_at is null;
-- Recording what was sent asks whether a ladder of holds ends with it: there are few.
create index lanes_on_a_ladder on send_lanes (account_id, channel) where holds_in_a_row > 0;

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
    -- Beyond the calendar's end no moment can be worked out, and nothing would go any more.
    constraint period_is_within_ten_years check (per <= interval '10 years'),
    constraint max_sends_is_positive check (max_sends > 0)
);
create unique index limit_is_said_once on send_limits
    (workspace_id, coalesce(account_id, workspace_id), coalesce(channel, ''), per);

create table send_campaigns (
    id              uuid primary key default send_uuid(),
    workspace_id    uuid not null references send_workspaces,
    name            text not null,
    status          text not null default 'active',
    pause_reason    text,
    schedule_id     uuid references send_schedules,
    max_attempts    int not null default 3,
    backoff_seconds int[] not null default '{300,900,3600}',
    on_uncertain    text not null default 'hold',
    follow_up_after interval not null default '3 days',
    created_at      timestamptz not null default now(),
    constraint campaign_name_is_unique_in_its_workspace unique (workspace_id, name),
    constraint campaign_of_a_workspace unique (workspace_id, id),
    constraint campaign_has_a_name check (name <> ''),
    constraint campaign_status_is_known check (status in ('active', 'paused', 'done')),
    constraint max_attempts_is_positive check (max_attempts > 0),
    constraint backoff_is_not_empty check (cardinality(backoff_seconds) > 0 and 0 <= all (backoff_seconds)),
    constraint on_uncertain_is_known check (on_uncertain in ('hold', 'resend')),
    -- Added to the moment of a send when it is recorded, which must never fail.
    constraint follow_up_is_within_ten_years check (follow_up_after between interval '0' and interval '10 years')
);
create index campaigns_by_schedule on send_campaigns (schedule_id);

-- Which accounts a campaign sends from. An account that was named for single sends only is not in_pool: sends
-- that name no account are not given to it.
create table send_campaign_accounts (
    workspace_id uuid not null,
    campaign_id  uuid not null,
    account_id   uuid not null,
    in_pool      boolean not null default true,
    primary key (campaign_id, account_id),
    constraint campaign_account_of_a_workspace unique (workspace_id, campaign_id, account_id),
    constraint campaign_is_of_the_workspace foreign key (workspace_id, campaign_id)
        references send_campaigns (workspace_id, id) on delete cascade,
    constraint account_is_of_the_workspace foreign key (workspace_id, account_id)
        references send_accounts (workspace_id, id) on delete cascade
);
-- The claim asks a lane's account for its campaigns.
create index campaigns_of_an_account on send_campaign_accounts (account_id);

create table send_prospects (
    id               uuid primary key default send_uuid(),
    workspace_id     uuid not null references send_workspaces,
    name             text,
    first_name       text,
    last_name        text,
    company          text,
    linkedin_user_id text,
    email            text,
    phone            text,
    timezone         text,
    attributes       jsonb not null default '{}',
    status           text,
    follow_up_due_at timestamptz,
    account_id       uuid, -- the account that first wrote to them, and goes on doing so
    created_at       timestamptz not null default now(),
    constraint prospect_keeps_an_account_of_its_workspace foreign key (workspace_id, account_id)
        references send_accounts (workspace_id, id),
    constraint timezone_is_known check (timezone is null or send_is_timezone(timezone)),
    constraint attributes_are_an_object check (jsonb_typeof(attributes) = 'object')
);
-- One person is one row: these also find the prospect of a recipient when a message is enqueued.
create unique index prospect_by_linkedin on send_prospects (workspace_id, linkedin_user_id)
    where linkedin_user_id is not null;
create unique index prospect_by_email on send_prospects (workspace_id, lower(email)) where email is not null;
create unique index prospect_by_phone on send_prospects (workspace_id, phone) where phone is not null;
create index prospects_to_follow_up on send_prospects (follow_up_due_at) where follow_up_due_at is not null;

create table send_queue (
    id                  uuid primary key default send_uuid(),
    workspace_id        uuid not null,
    campaign_id         uuid not null,
    account_id          uuid not null,
    channel             text not null,
    prospect_id         uuid references send_prospects,
    recipient           text not null,
    subject             text,
    message             text not null,
    payload             jsonb not null default '{}',
    priority            smallint not null default 100,
    scheduled_for       timestamptz not null default now(),
    expires_at          timestamptz,
    dedupe_key          text,
    status              text not null default 'pending',
    attempts            int not null default 0,
    claimed_by          text,
    lease_expires_at    timestamptz,
    attempt_id          uuid, -- the attempt that has it in hand: results of any other come too late
    sent_at             timestamptz,
    provider_message_id text,
    error_code          text,
    error_message       text,
    -- While it is uncertain: when the provider is asked next (null: no more), how often it could not tell, and since
    -- when it has been saying that the send is not there.
    look_up_at          timestamptz,
    look_ups            smallint not null default 0,
    absent_since        timestamptz,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    -- One look keeps three rules: the campaign and the account exist, in one workspace, and belong together.
    constraint account_sends_for_the_campaign foreign key (workspace_id, campaign_id, account_id)
        references send_campaign_accounts (workspace_id, campaign_id, account_id),
    constraint lane_exists foreign key (account_id, channel) references send_lanes,
    constraint status_is_known check (status in ('pending', 'sending', 'sent', 'failed', 'skipped', 'uncertain')),
    constraint sending_has_a_lease check ((status = 'sending') = (lease_expires_at is not null)
        and (status = 'sending') = (claimed_by is not null)),
    -- So two attempts cannot have it in hand at once.
    constraint sending_has_one_attempt check ((status = 'sending') = (attempt_id is not null)),
    constraint sent_has_a_moment check ((status = 'sent') = (sent_at is not null)),
    constraint skipped_has_a_reason check (status <> 'skipped' or error_code is not null),
    constraint recipient_is_not_empty check (recipient <> ''),
    -- Unipile, POST /users/invite: the note has at most 300 characters.
    constraint invitation_fits_300_characters check (channel <> 'linkedin_invite' or char_length(message) <= 300),
    constraint payload_is_an_object check (jsonb_typeof(payload) = 'object'),
    constraint attempts_are_not_negative check (attempts >= 0),
    -- infinity, and what comes after the last year that other languages have, could be explained to nobody.
    constraint moments_are_before_the_year_9999
        check (scheduled_for < '9999-01-01 00:00+00' and expires_at < '9999-01-01 00:00+00')
);
-- The claim index: the due rows of a lane's campaign in the order in which they go. `doctor` checks that it is there.
create index send_queue_claim on send_queue (account_id, channel, campaign_id, priority, scheduled_for, id)
    where status = 'pending';
-- Whether a lane's campaign has anything due, whatever the priority: without it, a hundred thousand follow-ups of
-- next week with a more urgent priority would be stepped over, one by one, in the index above.
create index send_queue_due on send_queue (account_id, channel, campaign_id, scheduled_for) where status = 'pending';
-- People: the next five by time; and the run, to say of the earliest due row why it waits.
create index send_queue_next on send_queue (scheduled_for) where status = 'pending';
-- The sweep of rows that nobody wants any more.
create index send_queue_expiry on send_queue (expires_at) where status = 'pending' and expires_at is not null;
-- A lane's sends in flight are counted here, and those of dead runs found by their lease.
create index send_queue_in_flight on send_queue (account_id, channel, lease_expires_at) where status = 'sending';
-- What people must look at.
create index send_queue_trouble on send_queue (status, updated_at) where status in ('failed', 'uncertain');
-- Recovery: of which send the provider is asked next.
create index send_queue_look_up on send_queue (look_up_at) where status = 'uncertain' and look_up_at is not null;
create unique index dedupe_key_is_unique_in_its_workspace on send_queue (workspace_id, dedupe_key)
    where dedupe_key is not null;
create unique index provider_message_is_one_send on send_queue (account_id, channel, provider_message_id)
    where provider_message_id is not null;

create table send_attempts (
    id                  uuid primary key default send_uuid(),
    send_id             uuid not null references send_queue on delete cascade,
    workspace_id        uuid not null,
    account_id          uuid not null,
    channel             text not null,
    number              int not null,
    day                 date not null, -- of started_at in the lane's cap zone: the day of send_usage that it counts in
    started_at          timestamptz not null,
    finished_at         timestamptz,
    outcome             text,
    http_status         int,
    provider_message_id text,
    error_code          text,
    error_message       text,
    worker              text not null,
    constraint attempt_number_is_unique unique (send_id, number),
    constraint attempt_number_is_positive check (number > 0),
    constraint outcome_is_known check
        (outcome in ('sent', 'already_done', 'retry', 'held', 'failed', 'uncertain', 'released')),
    constraint finished_has_an_outcome check ((outcome is null) = (finished_at is null))
) with (fillfactor = 50);
-- Rolling limits count what was or may have been accepted, newest first; an account's, and a whole workspace's. No index
-- knows the outcome, and half of each page is left free: so what became of an attempt is written beside it, and touches
-- no index.
create index attempts_of_an_account on send_attempts (account_id, started_at);
create index attempts_of_a_workspace on send_attempts (workspace_id, started_at);

create table send_usage (
    account_id uuid not null references send_accounts on delete cascade,
    channel    text not null,
    day        date not null,
    used       int not null,
    primary key (account_id, channel, day),
    constraint tally_is_not_negative check (used >= 0)
) with (fillfactor = 50);

-- Rows come and go fast in these: clean up by share of the table, early, and without pauses.
alter table send_queue set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05);
alter table send_lanes set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0);
alter table send_attempts set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
