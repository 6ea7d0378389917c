-- Lay copies of what a claim reads and writes before the tables themselves, for one lane: temporary tables of the same
-- names, which the search path finds first. Whatever is claimed and recorded from here to the end of the transaction
-- is played on the copies, by the very functions that decide for real, and nobody waits for it. The caller rolls back.
--
-- The claim and what else writes look names up in our own schema (send_as_owner), so copies of them are made too, which run
-- with the caller's rights and meet the copies of the tables: those are to be called as pg_temp.send_claim and so on.
--
-- Here chance adds to each gap what it adds on average. Returns {by_chance, functions}: whether it has a part in it, and
-- which functions were copied.
create or replace function send_rehearse(account_id uuid, channel text) returns jsonb language plpgsql
set enable_seqscan = off as $$ -- what is copied is found by indexes, however long the history is
declare
    v_functions constant text[] := '{send_claim, send_recover, send_set_windows}';
    v_function text;
    v_table text;
    v_where text;
    v_chance boolean;
begin
    perform send_prepare_copies();
    for v_table, v_where in
        select t, w from (values
            ('send_lanes', 'account_id = $1 and channel = $2'),
            ('send_limits', 'workspace_id = (select a.workspace_id from send_accounts a where a.id = $1)'),
            ('send_schedules', 'true'),
            ('send_wakes', 'false'),
            ('send_turns', 'account_id = $1 and channel = $2'),
            ('send_rehearsed_lanes', 'false'),
            ('send_usage', 'account_id = $1 and channel = $2'),
            ('send_queue', 'account_id = $1 and channel = $2 and status = ''pending'' union all select * from '
                '%1$I.send_queue where account_id = $1 and channel = $2 and status = ''sending'''),
            ('send_attempts', 'workspace_id = (select a.workspace_id from send_accounts a where a.id = $1)'
                ' and (outcome is null or outcome in (''sent'', ''uncertain'')) and started_at > (select coalesce('
                'max(b.started_at), now()) from %1$I.send_attempts b where b.account_id = $1 and (b.outcome is null or '
                'b.outcome in (''sent'', ''uncertain''))) - coalesce('
                '(select max(send_period(m.per)) from %1$I.send_limits m), interval ''0'')')
        ) v (t, w)
    loop
        execute format('create temporary table %2$I (like %1$I.%2$I including defaults including indexes) '
                       'on commit drop', current_schema(), v_table);
        execute format('insert into pg_temp.%2$I select * from %1$I.%2$I where ', current_schema(), v_table)
                || format(v_where, current_schema()) using account_id, channel;
    end loop;
    foreach v_function in array v_functions loop
        execute replace(pg_get_functiondef(v_function::regproc), format('FUNCTION %I.%I(', current_schema(), v_function),
            format('FUNCTION pg_temp.%I(', v_function));
        execute format('alter function pg_temp.%I security invoker reset search_path', v_function);
    end loop;
    -- Here a send takes no time at all, so none is ever in the way of the next. Nor is the lane asleep: what is played
    -- comes to wait without being said (send_on_waiting).
    update send_lanes set max_in_flight = 1000000, idle_until = 'epoch';
    update send_lanes set min_gap_seconds = min_gap_seconds + jitter_seconds / 2, jitter_seconds = 0
    where jitter_seconds > 0;
    v_chance := found;
    -- Plans that were made before, in a session that somebody else had, may still know the tables themselves.
    discard plans;
    return jsonb_build_object('by_chance', v_chance, 'functions', v_functions);
end
$$;
