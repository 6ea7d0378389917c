-- A new lane of LinkedIn has pauses from its first minute: sends without any look like a machine's, and cost the seat.
-- With the gap and half of the jitter on average, the cap of a day is reached within eight hours. Data of the operator's,
-- as the caps are; lanes that are there keep what they have.
alter table send_lane_defaults
    add column min_gap_seconds int not null default 0,
    add column jitter_seconds int not null default 0,
    add column max_in_flight int not null default 1,
    add constraint gaps_are_not_negative check (min_gap_seconds >= 0 and jitter_seconds >= 0),
    add constraint max_in_flight_is_positive check (max_in_flight > 0);
update send_lane_defaults d set min_gap_seconds = p.gap, jitter_seconds = p.jitter
from (values
    ('linkedin_invite', 'free', 600, 600),
    ('linkedin_invite', 'premium', 300, 300),
    ('linkedin_invite', 'sales_navigator', 180, 120),
    ('linkedin_message', 'free', 180, 120),
    ('linkedin_message', 'premium', 180, 120),
    ('linkedin_message', 'sales_navigator', 180, 120)) p (channel, tier, gap, jitter)
where d.channel = p.channel and d.tier = p.tier;
