-- A lane whose limits are changed, by whomever, looks again at once; a cap zone that is changed re-labels the days of
-- the tally that still count (a week and the days that the zones differ by).
create or replace function send_on_lane_change() returns trigger language plpgsql as $$
declare
    v_since timestamptz;
begin
    if new.next_at_reason in ('daily_cap', 'weekly_cap', 'rate_limit') then
        new.next_at := 'epoch';
        new.next_at_reason := null;
        new.next_at_detail := null;
    elsif new.next_at_reason = 'min_gap' then
        new.next_at := new.next_at + make_interval(secs => new.min_gap_seconds - old.min_gap_seconds);
    end if;
    if new.cap_timezone <> old.cap_timezone then
        select coalesce(max(b.started_at), now()) - interval '10 days' into v_since
        from send_attempts b where b.account_id = new.account_id and b.channel = new.channel;
        update send_attempts b set day = (b.started_at at time zone new.cap_timezone)::date
        where b.account_id = new.account_id and b.channel = new.channel and b.started_at > v_since
          and (b.outcome is null or b.outcome in ('sent', 'uncertain'));
        delete from send_usage u
        where u.account_id = new.account_id and u.channel = new.channel
          and u.day >= (v_since at time zone old.cap_timezone)::date - 1;
        insert into send_usage (account_id, channel, day, used)
        select b.account_id, b.channel, b.day, count(*) from send_attempts b
        where b.account_id = new.account_id and b.channel = new.channel
          and b.started_at > v_since - interval '3 days'
          and b.day >= (v_since at time zone old.cap_timezone)::date - 1
          and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
        group by b.account_id, b.channel, b.day;
    end if;
    return new;
end
$$;

create or replace trigger lane_changed before update on send_lanes for each row
when ((old.daily_cap, old.weekly_cap, old.cap_timezone, old.min_gap_seconds, old.warm_up_start, old.warm_up_step,
       old.warm_up_began) is distinct from (new.daily_cap, new.weekly_cap, new.cap_timezone, new.min_gap_seconds,
       new.warm_up_start, new.warm_up_step, new.warm_up_began))
execute function send_on_lane_change();
