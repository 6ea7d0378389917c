-- Until when a send must not go, since it is night where its recipient is; null: it may go at that moment. The zone is the
-- prospect's, else that of the phone number, else that of the account's schedule, else the workspace's. Where a number may
-- live in several zones, it is quiet while it is quiet in any. Where this server does not know a zone, it is always quiet:
-- `known` is false, and until is the end of time.
create or replace function send_quiet_until(send_id uuid, at timestamptz,
    out until timestamptz, out detail text, out known boolean) returns record language plpgsql stable as $$
#variable_conflict use_column
declare
    v_from  time;
    v_until time;
    v_zones text[];
    v_zone  text;
    v_local timestamp;
    v_again boolean := true;
begin
    select coalesce(c.quiet_from, d.quiet_from), coalesce(c.quiet_until, d.quiet_until),
        coalesce(case when p.timezone is not null then array[p.timezone] end, (
            select z.timezones from send_phone_zones z
            where q.recipient ~ '^[+][0-9]' and z.prefix in (substr(q.recipient, 2, 1), substr(q.recipient, 2, 2),
                substr(q.recipient, 2, 3), substr(q.recipient, 2, 4))
            order by length(z.prefix) desc limit 1), '{}')
    into v_from, v_until, v_zones
    from send_queue q
    join send_campaigns c on c.id = q.campaign_id
    left join send_quiet_hours d on d.channel = q.channel
    left join send_prospects p on p.id = q.prospect_id and p.timezone is not null
    where q.id = send_quiet_until.send_id;
    if v_from is null or v_from = v_until then
        return;
    end if;
    if cardinality(v_zones) = 0 then
        select array[coalesce(s.timezone, w.timezone)] into v_zones
        from send_queue q
        join send_accounts a on a.id = q.account_id
        join send_workspaces w on w.id = q.workspace_id
        left join send_schedules s on s.id = a.schedule_id
        where q.id = send_quiet_until.send_id;
    end if;

    -- The morning of one zone may be the night of another: until it is day in all of them, or for a week.
    known := true;
    until := at;
    while v_again and until < at + interval '7 days' loop
        v_again := false;
        foreach v_zone in array v_zones loop
            v_local := send_local_time(until, v_zone);
            if v_local is null then
                known := false;
                until := '9999-12-31';
                detail := send_unknown_recipient_zone(send_quiet_until.send_id, v_zone);
                return;
            end if;
            if v_from < v_until and v_local::time >= v_from and v_local::time < v_until
               or v_from > v_until and (v_local::time >= v_from or v_local::time < v_until) then
                until := (v_local::date + case when v_local::time >= v_until then 1 else 0 end + v_until)
                    at time zone v_zone;
                v_again := true;
            end if;
        end loop;
    end loop;
    if until > at then
        detail := format('Quiet hours where the recipient is (%s): from %s to %s.', array_to_string(v_zones, ', '),
            to_char(v_from, 'HH24:MI'), to_char(v_until, 'HH24:MI'));
    else
        until := null;
    end if;
end
$$;
