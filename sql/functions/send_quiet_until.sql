-- Return the end of the quiet hours that hold a send at a moment; null: none hold it.
--
-- until  the first moment outside quiet hours in every zone that the number may belong to; a week ahead at most, which
--        may then mean never. The end of time if this server does not know a zone
-- known  false if this server does not know a zone
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

    -- One zone's morning may be another's night: advance until all are awake.
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
