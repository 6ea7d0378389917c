-- A row that quiet hours put off keeps its place in the order: when it was scheduled for before, which it is again once
-- its recipient's morning has come.
alter table send_queue add column place timestamptz;
-- The claim: rows of a lane whose morning has come.
create index send_queue_asleep on send_queue (account_id, channel, scheduled_for)
    where status = 'pending' and place is not null;
