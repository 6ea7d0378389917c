-- Return the lanes whose cap day ends within office hours at a moment, with a sentence about it: one office day may
-- then use the caps of two days.
create or replace function send_split_days(at timestamptz) returns table (account_id uuid, channel text, timezone text,
    said text) language sql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
    select l.account_id, l.channel, s.timezone,
        format('The cap of %s %s is counted anew at midnight in %s, which is %s in %s, within the hours of the '
            'schedule %s: one of its days may use the caps of two.', a.name, l.channel, l.cap_timezone, turn.at,
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
           or h ->> 1 < h ->> 0 and (h ->> 0 < turn.at or turn.at < h ->> 1)) -- hours past midnight
$$;
