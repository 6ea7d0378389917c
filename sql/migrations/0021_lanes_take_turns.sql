-- Lanes that may go from the same moment take turns: the one that has waited longest goes first. A limit makes all lanes
-- that share it wait until one moment, and without an order of its own the same lane could have that moment each time.
--
-- served_at is when a claim last took rows of a lane, at first when it was made; by the server's clock, also where the
-- time is only believed: it is an order, and no moment that is waited for.
alter table send_lanes add column served_at timestamptz not null default clock_timestamp();

drop index lanes_by_turn;
-- The claim walks this, oldest first: lanes take turns, and one that must wait is not met at all.
create index lanes_by_turn on send_lanes
    (greatest(next_at, closed_until, idle_until), served_at) where paused_at is null;
