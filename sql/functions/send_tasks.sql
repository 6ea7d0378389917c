-- What roles call for the task that they were granted (send_grant), and which of it runs with its owner's rights: all
-- that writes, and that tells a copy. So no role but the owner has a right to write into any table.
--
-- A worker takes rows that are due, says what became of them, caches windows and renewed tokens, and notes its run.
-- Whatever else it calls only looks, with its own right to read. The trigger that is deferred would run with the rights of
-- whoever commits (up to Postgres 17): nobody calls it.
create or replace function send_tasks() returns table (task text, function text, as_owner boolean)
language sql stable as $$
    values ('commit', 'send_on_place_change', true),
           ('enqueue', 'send_enqueue', true),
           ('read', 'send_lane_report', true), ('work', 'send_lane_report', true),
           ('work', 'send_claim', true), ('work', 'send_record_sent', true), ('work', 'send_record', true),
           ('work', 'send_secret_works', true), ('work', 'send_recover', true), ('work', 'send_look_ups', true), ('work', 'send_looked_up', true),
           ('work', 'send_set_windows', true), ('work', 'send_end_run', true), ('work', 'send_meter_attempts', true),
           ('work', 'send_token_take', true), ('work', 'send_token_store', true), ('work', 'send_token_defer', true),
           ('work', 'send_token_refused', true), ('work', 'send_tokens_end', true),
           ('work', 'send_is_copy', true)
$$;
