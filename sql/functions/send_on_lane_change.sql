-- A lane whose limits are changed, by whomever, looks again at once; a gap that grows is counted from the last send; a
-- cap zone that is changed re-labels the days of the tally that still count (a week and the days that the zones differ
-- by), and of all attempts, since one that was given back may turn out to be sent.
create or replace function send_on_lane_change() returns trigger language plpgsql as $$
declare
    v_since timestamptz;
    v_after timestamptz;
    v_day   record;
begin
    if new.next_at_reason in ('daily_cap', 'weekly_cap', 'rate_limit', 'cap_timezone') then
        new.next_at := 'epoch';
        new.next_at_reason := null;
        new.next_at_detail := null;
    elsif new.min_gap_seconds <> old.min_gap_seconds and new.next_at > 'epoch'
          and coalesce(new.next_at_reason, 'min_gap') = 'min_gap' then -- next_at is the last send and the gap after it
        new.next_at := new.next_at + make_interval(secs => new.min_gap_seconds - old.min_gap_seconds);
        new.next_at_reason := 'min_gap';
    end if;
    if new.min_gap_seconds > old.min_gap_seconds then
        v_after := send_after_gap(new.account_id, new.channel, new.min_gap_seconds);
        if new.next_at < v_after then
            new.next_at := v_after;
            new.next_at_reason := coalesce(new.next_at_reason, 'min_gap');
        end if;
    end if;
    if new.cap_timezone <> old.cap_timezone then
        select least(max(b.started_at), now()) - interval '10 days' into v_since -- what was rehearsed is later
        from send_attempts b where b.account_id = new.account_id and b.channel = new.channel;
        -- What counts in another day now is moved there; what was pruned since stays where it was counted. The day of
        -- one that does not count is corrected too: it may yet turn out to have been sent.
        for v_day in
            with moved as (
                update send_attempts b set day = (b.started_at at time zone new.cap_timezone)::date
                from (select o.id, o.day from send_attempts o
                      where o.account_id = new.account_id and o.channel = new.channel and o.started_at > v_since
                      order by o.send_id, o.number for no key update) held
                where b.id = held.id and held.day <> (b.started_at at time zone new.cap_timezone)::date
                returning held.day as from_day, b.day as to_day,
                    b.outcome is null or b.outcome in ('sent', 'uncertain') as counts, b.rehearsed::int as rehearsed
            )
            select d.day, sum(d.n)::int as n, sum(d.n * d.rehearsed)::int as rehearsed
            from (select from_day as day, -1 as n, rehearsed from moved where counts
                  union all select to_day, 1, rehearsed from moved where counts) d group by d.day
        loop
            update send_usage u set used = u.used + v_day.n, rehearsed = u.rehearsed + v_day.rehearsed
            where u.account_id = new.account_id and u.channel = new.channel and u.day = v_day.day;
            if not found then
                insert into send_usage (account_id, channel, day, used, rehearsed)
                values (new.account_id, new.channel, v_day.day, v_day.n, v_day.rehearsed);
            end if;
        end loop;
    end if;
    return new;
end
$$;

create or replace trigger lane_changed before update on send_lanes for each row
when ((old.daily_cap, old.weekly_cap, old.cap_timezone, old.min_gap_seconds, old.warm_up_start, old.warm_up_step,
       old.warm_up_began) is distinct from (new.daily_cap, new.weekly_cap, new.cap_timezone, new.min_gap_seconds,
       new.warm_up_start, new.warm_up_step, new.warm_up_began))
execute function send_on_lane_change();
