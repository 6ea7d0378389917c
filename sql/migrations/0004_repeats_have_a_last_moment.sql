-- A provider that knows a send again (an idempotency key, an id of ours) does so for a time: a repeat of what is in doubt
-- that would come later might be accepted twice. Null: it knows it for ever, or the row is no repeat.
alter table send_queue add column repeat_by timestamptz;
