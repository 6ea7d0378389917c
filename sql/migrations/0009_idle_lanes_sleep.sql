-- Most lanes of a large team have nothing due at most moments, and a claim would look at each of them in vain. So they are
-- told until when they have nothing due (send_let_sleep), and are not met until then. It decides nothing, and nobody but
-- the claim reads it.
alter table send_lanes add column idle_until timestamptz not null default 'epoch';

-- Something is due earlier in a lane that was told so: whoever wrote it says it here, in their own transaction, and waits
-- for nobody (send_on_waiting). The next claim wakes the lane (send_wake_up).
create table send_wakes (
    account_id uuid not null,
    channel    text not null,
    constraint lane_exists foreign key (account_id, channel) references send_lanes on delete cascade
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

-- Where a publication has all tables, Postgres refuses to delete from one whose rows it cannot name.
alter table send_wakes replica identity full;
alter table send_counts replica identity full;

drop index lanes_by_turn;
-- The claim walks this, oldest first: lanes take turns, and one that must wait is not met at all.
create index lanes_by_turn on send_lanes (greatest(next_at, closed_until, idle_until)) where paused_at is null;
