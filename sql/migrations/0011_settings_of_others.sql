-- -infinity, infinity, and years that other languages do not have can be shown to nobody, and would end each command
-- that meets them: they are refused where they come in. What is there already is brought to the calendar's ends.
do $$
declare
    v_column record;
begin
    for v_column in
        select t, string_agg(format(
                '%1$I = case when %1$I < ''0002-01-01 00:00+00'' then ''0002-01-01 00:00+00'' '
                'when %1$I >= ''9999-01-01 00:00+00'' then %2$L else %1$I end', c, high), ', ') as mended,
            format('least(%1$s) < ''0002-01-01 00:00+00'' or greatest(%1$s) > %2$L', string_agg(c, ', '), max(high))
                as wrong
        from (values
            ('send_queue', 'scheduled_for', '9998-12-31 00:00+00'), ('send_queue', 'expires_at', '9998-12-31 00:00+00'),
            ('send_queue', 'created_at', '9998-12-31 00:00+00'), ('send_queue', 'updated_at', '9998-12-31 00:00+00'),
            ('send_queue', 'sent_at', '9998-12-31 00:00+00'),
            ('send_prospects', 'follow_up_due_at', '9998-12-31 00:00+00'),
            ('send_tokens', 'expires_at', '9998-12-31 00:00+00'),
            ('send_tokens', 'refresh_expires_at', '9998-12-31 00:00+00'),
            ('send_suppressions', 'since', '9998-12-31 00:00+00'),
            ('send_lanes', 'next_at', '9999-12-31 00:00+00')) v (t, c, high) -- by which a lane waits for a person
        group by t
    loop
        execute format('update %I set %s where %s', v_column.t, v_column.mended, v_column.wrong);
    end loop;
end
$$;

-- Not valid: all that is there was looked at above, and a second look would keep the queue closed meanwhile.
alter table send_queue
    add constraint moments_are_after_the_year_1 check (
        scheduled_for >= '0002-01-01 00:00+00' and expires_at >= '0002-01-01 00:00+00') not valid,
    add constraint what_was_is_in_the_calendar check (
        least(created_at, updated_at, sent_at) >= '0002-01-01 00:00+00'
        and greatest(created_at, updated_at, sent_at) < '9999-01-01 00:00+00') not valid;
alter table send_prospects add constraint follow_up_is_in_the_calendar check (
    follow_up_due_at >= '0002-01-01 00:00+00' and follow_up_due_at < '9999-01-01 00:00+00') not valid;
alter table send_tokens add constraint token_ends_in_the_calendar check (
    least(expires_at, refresh_expires_at) >= '0002-01-01 00:00+00'
    and greatest(expires_at, refresh_expires_at) < '9999-01-01 00:00+00') not valid;
alter table send_suppressions add constraint since_is_in_the_calendar check (
    since >= '0002-01-01 00:00+00' and since < '9999-01-01 00:00+00') not valid;
alter table send_lanes add constraint next_at_is_in_the_calendar check (
    next_at >= '0002-01-01 00:00+00' and next_at <= '9999-12-31 00:00+00') not valid;

-- As before, without a backslash: a session whose standard_conforming_strings is off would read the pattern as another.
create or replace function send_normal_recipient(recipient text) returns text
language sql immutable parallel safe as $$
    select case
        when recipient like '%_@_%' and recipient not like '%://%' then lower(btrim(recipient, E' \t\r\n'))
        when recipient ~ '^[[:space:]+0-9()./-]*[0-9][[:space:]0-9()./-]*$' then
            regexp_replace(regexp_replace(recipient, '[^0-9+]', '', 'g'), '^00', '+')
        else btrim(recipient, E' \t\r\n')
    end
$$;
