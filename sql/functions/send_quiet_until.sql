-- Until when a send must not go, since it is night where its recipient is; null: it may go at that moment. Where a number
-- may live in several zones, it is quiet while it is quiet in any: for a week at the most, which then means that it may be
-- for ever. Where this server does not know a zone, it is always quiet: `known` is false, and until is the end of time.
create or replace function send_quiet_until(send_id uuid, at timestamptz,
    out until timestamptz, out detail text, out known boolean) returns record language plpgsql stable as $$
#variable_conflict use_column
declare
    v_quiet record;
    v_zone  text;
    v_local timestamp;
    v_again boolean := true;
begin
    select * into v_quiet from send_quiet_of(send_id);
    if v_quiet.quiet_from is null then
        return;
    end if;

    -- The morning of one zone may be the night of another: until it is day in all of them.
    known := true;
    until := at;
    for v_round in 1..100 loop
        exit when not v_again or until >= at + interval '7 days';
        v_again := false;
        foreach v_zone in array v_quiet.zones loop
            v_local := send_local_time(until, v_zone);
            if v_local is null then
                known := false;
                until := '9999-12-31';
                detail := send_unknown_recipient_zone(send_quiet_until.send_id, v_zone);
                return;
            end if;
            if v_quiet.quiet_from < v_quiet.quiet_until
                   and v_local::time >= v_quiet.quiet_from and v_local::time < v_quiet.quiet_until
               or v_quiet.quiet_from > v_quiet.quiet_until
                   and (v_local::time >= v_quiet.quiet_from or v_local::time < v_quiet.quiet_until) then
                until := greatest(until + interval '1 second', (v_local::date
                    + case when v_local::time >= v_quiet.quiet_until then 1 else 0 end + v_quiet.quiet_until)
                    at time zone v_zone);
                v_again := true;
            end if;
        end loop;
    end loop;
    if until > at then
        detail := format('Quiet hours where the recipient is (%s): from %s to %s.', array_to_string(v_quiet.zones, ', '),
            to_char(v_quiet.quiet_from, 'HH24:MI'), to_char(v_quiet.quiet_until, 'HH24:MI'));
    else
        until := null;
    end if;
end
$$;
