-- A stranger who may create operators in our schema could have planted one for arrays of dates, which the rule below
-- would have used for ever.
alter table send_schedules drop constraint no_day_is_both_open_and_closed,
    add constraint no_day_is_both_open_and_closed check (not closed_on operator(pg_catalog.&&) open_on);
