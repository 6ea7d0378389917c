-- Return sends that became sent, failed, skipped or uncertain since a cursor, oldest change first. A poller writes the
-- status into its own tables and stores the last row's cursor in the same transaction. Each change comes once at least;
-- of several changes of a send between two calls, the last one.
--
-- since     the `cursor` of the last row that was taken; null: from the beginning
-- max_rows  how many rows at most
-- at        the moment that the caller believes. Changes more than an hour after it are a rehearsal's, and are not told
--
-- A transaction may commit a change with an earlier moment than one that was read already. So a call tells a window of
-- transactions: from where the window before ended, to the oldest one that still writes (the snapshot's xmin): all of
-- them have ended, and later changes are in later windows. A long writing transaction anywhere on the server delays
-- changes, and hides none. Rows name their transaction in xmin, whose 32 bits count from the server's next one.
--
-- No index knows transactions: rows are found by updated_at, from `low` on. It is an hour before a look at the server
-- (`mark`) whose next transaction was not later than the window's first, so that all of the window began after it. A
-- transaction reads its moment at most an hour before its first write. The cursor:
--
--   from : to : updated_at and id of the last row : low : mark and its moment     (moments in microseconds since 1970)
--
-- In a restored copy transactions begin anew: a window that ends in the future is replaced by one of all of them.
create or replace function send_changes(since text default null, max_rows int default 1000, at timestamptz default null)
returns table (send_id uuid, status text, changed_at timestamptz, campaign text, channel text, account text,
    recipient text, dedupe_key text, provider_message_id text, error_code text, error_message text, cursor text)
language plpgsql stable set jit = off set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_sort = off as $$
#variable_conflict use_column
declare
    v_until   timestamptz := coalesce(send_changes.at, clock_timestamp()) + interval '1 hour';
    v_now     bigint := send_microseconds(least(send_changes.at, now()));
    v_end     bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    v_next    bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    v_cursor  text[] := string_to_array(send_changes.since, ':');
    v_from    bigint := 0;
    v_to      bigint := 0;
    v_after   bigint := 0; -- the last row of the window that was told
    v_id      uuid := '00000000-0000-0000-0000-000000000000';
    v_low     bigint := 0;
    v_mark    bigint := v_next;
    v_mark_at bigint := v_now;
    v_left    int := max_rows;
    v_told    int;
    v_start   timestamptz;
begin
    if send_changes.since !~ '^([0-9]{1,18}:){3}[0-9a-f-]{36}(:[0-9]{1,18}){3}$' then
        raise exception 'The cursor % is none of send_changes: give the one of the last row, or null.',
            quote_literal(send_changes.since) using errcode = 'SQ002';
    end if;
    if send_changes.since is not null then
        v_from := v_cursor[1]::bigint;
        v_to := v_cursor[2]::bigint;
        v_after := v_cursor[3]::bigint;
        v_id := v_cursor[4]::uuid;
        v_low := v_cursor[5]::bigint;
        v_mark := v_cursor[6]::bigint;
        v_mark_at := v_cursor[7]::bigint;
    end if;
    if v_to > v_next then
        v_from := 0;
        v_to := 0;
        v_mark := v_next;
        v_mark_at := v_now;
    end if;
    for v_window in 1..2 loop -- what is left of the cursor's, and the next one
        if v_window = 2 then
            if v_mark <= v_to then
                v_low := greatest(v_mark_at - 3600000000, 0);
                v_mark := v_next;
                v_mark_at := v_now;
            end if;
            v_from := v_to;
            v_to := greatest(v_to, v_end);
            v_after := 0;
            v_id := '00000000-0000-0000-0000-000000000000';
        end if;
        continue when v_from >= v_to;
        v_start := timestamptz 'epoch' + greatest(v_low, v_after)::float8 * interval '1 microsecond';
        return query
        select q.id, q.status, q.updated_at, (select c.name from send_campaigns c where c.id = q.campaign_id), q.channel,
            (select a.name from send_accounts a where a.id = q.account_id), q.recipient, q.dedupe_key,
            q.provider_message_id, q.error_code, q.error_message,
            concat_ws(':', v_from, v_to, send_microseconds(q.updated_at), q.id, v_low, v_mark, v_mark_at)
        from (
            select over.id, over.updated_at
            from send_campaigns c
            cross join unnest('{sent,failed,skipped}'::text[]) s (status)
            cross join lateral (
                select o.id, o.updated_at from send_queue o
                where o.campaign_id = c.id and o.status = s.status and o.status in ('sent', 'failed', 'skipped')
                  and o.updated_at >= v_start and o.updated_at <= v_until
                  and (send_microseconds(o.updated_at) > v_after or o.id > v_id)
                  and v_next - ((v_next - o.xmin::text::bigint) & 4294967295) >= v_from
                  and v_next - ((v_next - o.xmin::text::bigint) & 4294967295) < v_to
                order by o.updated_at, o.id limit v_left) over
            union all
            (select o.id, o.updated_at from send_queue o
             where o.status = 'uncertain' and o.status in ('failed', 'uncertain')
               and o.updated_at >= v_start and o.updated_at <= v_until
               and (send_microseconds(o.updated_at) > v_after or o.id > v_id)
               and v_next - ((v_next - o.xmin::text::bigint) & 4294967295) >= v_from
               and v_next - ((v_next - o.xmin::text::bigint) & 4294967295) < v_to
             order by o.updated_at, o.id limit v_left)
            order by 2, 1 limit v_left) told
        cross join lateral (select * from send_queue q where q.id = told.id limit 1) q
        order by told.updated_at, told.id;
        get diagnostics v_told = row_count;
        v_left := v_left - v_told;
        exit when v_left <= 0;
    end loop;
end
$$;
