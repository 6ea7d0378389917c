-- Clear the windows of a changed schedule until they are computed anew: no window counts as closed.
create or replace function send_on_schedule_change() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    new.opens_at := null;
    new.closes_at := null;
    new.window_since := null;
    new.later_windows := '{}';
    return new;
end
$$;

create or replace trigger schedule_changed before update on send_schedules for each row
when ((old.timezone, old.hours, old.skip_holidays, old.holiday_country, old.holiday_subdivision,
       old.holiday_calendars::text, old.closed_on::text, old.open_on::text)
      is distinct from (new.timezone, new.hours, new.skip_holidays, new.holiday_country, new.holiday_subdivision,
       new.holiday_calendars::text, new.closed_on::text, new.open_on::text))
execute function send_on_schedule_change();
