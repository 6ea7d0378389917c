-- Return the functions that each granted task calls (send_grant), and whether one runs with its owner's rights: all
-- that write do, and send_is_copy, send_lane_report, send_changes and send_results, so no role but the owner needs a
-- right to write any table.
--
-- A worker claims due rows, records results, stores windows and renewed tokens, and notes its run. All its other calls
-- only read, with its own rights. `commit`: the deferred trigger, which no role calls; up to Postgres 17 it would run
-- with the committing role's rights.
create or replace function send_tasks() returns table (task text, function text, as_owner boolean)
language sql stable as $$
    values ('commit', 'send_on_place_change', true),
           ('enqueue', 'send_enqueue', true),
           ('read', 'send_lane_report', true), ('work', 'send_lane_report', true),
           ('read', 'send_changes', true), ('work', 'send_changes', true),
           ('read', 'send_results', true), ('work', 'send_results', true),
           ('work', 'send_claim', true), ('work', 'send_record_sent', true), ('work', 'send_record', true),
           ('work', 'send_secret_works', true), ('work', 'send_recover', true), ('work', 'send_look_ups', true), ('work', 'send_looked_up', true),
           ('work', 'send_set_windows', true), ('work', 'send_end_run', true), ('work', 'send_meter_attempts', true),
           ('work', 'send_token_take', true), ('work', 'send_token_store', true), ('work', 'send_token_defer', true),
           ('work', 'send_token_refused', true), ('work', 'send_tokens_end', true),
           ('work', 'send_is_copy', true)
$$;
