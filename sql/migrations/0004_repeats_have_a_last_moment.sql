-- A provider that knows a send again (an idempotency key, an id of ours) does so for a time: a repeat of what is in doubt
-- that would come later might be accepted twice. Null: it knows it for ever, or the row is no repeat.
alter table send_queue add column repeat_by timestamptz;

-- The rolling limits that come with new lanes, of the account and of its workspace: what is usual for senders whom
-- nobody knows yet. Caps of a day are in send_lane_defaults. Both are data for an operator to change; what is there
-- already keeps the limits that it has.
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
    ('email', 'workspace', '1 minute', 20), ('email', 'workspace', '1 hour', 1000), ('email', 'workspace', '1 day', 10000),
    ('sms', 'account', '1 minute', 10), ('sms', 'account', '1 hour', 500),
    ('sms', 'workspace', '1 minute', 10), ('sms', 'workspace', '1 hour', 500), ('sms', 'workspace', '1 day', 5000);
insert into send_lane_defaults (channel, tier, daily_cap) values
    ('email', 'free', 10000), ('email', 'premium', 10000), ('email', 'sales_navigator', 10000),
    ('sms', 'free', 5000), ('sms', 'premium', 5000), ('sms', 'sales_navigator', 5000);
