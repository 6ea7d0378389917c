-- Lanes whose cap is counted anew in the midst of office hours, at a moment, each with a sentence that says so: within one
-- of those days what two days allow may go.
create or replace function send_split_days(at timestamptz) returns table (account_id uuid, channel text, timezone text,
    said text) language sql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select l.account_id, l.channel, s.timezone,
        format('The cap of %s %s is counted anew at midnight in %s, which is %s in %s, in the midst of the hours of the '
            'schedule %s: what two days allow may go in one of its days.', a.name, l.channel, l.cap_timezone, turn.at,
            s.timezone, s.name)
    from send_lanes l
    join send_accounts a on a.id = l.account_id
    join send_schedules s on s.id = a.schedule_id and s.timezone <> l.cap_timezone
    cross join lateral (
        select to_char(send_local_time(send_day_start(send_local_time(send_split_days.at, l.cap_timezone)::date + 1,
            l.cap_timezone), s.timezone), 'HH24:MI') as at) turn
    where coalesce(l.daily_cap, l.weekly_cap) is not null and exists (
        select from jsonb_each(s.hours) d cross join jsonb_array_elements(d.value) h
        where h ->> 0 < turn.at and turn.at < h ->> 1
           or h ->> 1 < h ->> 0 and (h ->> 0 < turn.at or turn.at < h ->> 1)) -- past midnight
$$;
