-- Record a finished run for monitoring, and enqueue the due notifications (send_notify): one call, since an idle tick
-- pays for each. Returns the number of rows remaining within the run's filters (account, channel, campaign) if
-- `counting`, else null.
create or replace function send_end_run(command text, worker text, seconds float8, sent int default 0,
    processed int default 0, at timestamptz default null, account text default null, channel text default null,
    campaign text default null, counting boolean default false)
returns bigint language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at      timestamptz := coalesce(send_end_run.at, clock_timestamp());
    v_filters text := concat_ws(' ', 'account=' || account, 'channel=' || channel, 'campaign=' || campaign);
begin
    insert into send_runs as r (command, filters, worker, began_at, finished_at, sent, processed, seconds)
    values (send_end_run.command, v_filters, send_end_run.worker,
        v_at - make_interval(secs => send_end_run.seconds), v_at, send_end_run.sent, send_end_run.processed,
        send_end_run.seconds)
    on conflict on constraint send_runs_pkey do update
    set worker = excluded.worker, began_at = excluded.began_at, finished_at = excluded.finished_at,
        sent = excluded.sent, processed = excluded.processed, runs = r.runs + 1, seconds = r.seconds + excluded.seconds;
    perform send_notify(send_end_run.at);
    return case when counting then send_remaining(account, channel, campaign) end;
end
$$;
