-- Return the sentence on a send that waits because this server does not know a zone of its recipient: the row with the
-- zone, and the remedy.
create or replace function send_unknown_recipient_zone(send_id uuid, zone text) returns text language sql stable as $$
    select format('The database server does not know the time zone %s of %s, so it cannot tell whether it is night there: '
        'run `%s`, or add the zone to the server.', zone, r.said, r.mend)
    from send_queue q
    join send_accounts a on a.id = q.account_id
    join send_workspaces w on w.id = q.workspace_id
    left join send_prospects p on p.id = q.prospect_id
    left join send_schedules s on s.id = a.schedule_id
    left join lateral (
        select z.prefix from send_phone_zones z
        where zone = any (z.timezones) and q.recipient like '+' || z.prefix || '%'
        order by length(z.prefix) desc limit 1) n on true
    cross join lateral (select coalesce(send_timezone(zone), 'NAME') as name) k
    cross join lateral (
        select * from (values
            (p.timezone is not null, 'the prospect ' || p.id::text,
             format('update send_prospects set timezone = %L where timezone = %L', k.name, zone)),
            (n.prefix is not null, 'phone numbers that begin with +' || n.prefix,
             format('update send_phone_zones set timezones = array_replace(timezones, %L, %L)', zone, k.name)),
            (s.timezone is not null, 'the schedule ' || s.name,
             format('send-queue schedule set %s --timezone %s', s.name, k.name)),
            (true, 'the workspace ' || w.name, format('send-queue workspace set %s --timezone %s', w.name, k.name))
        ) v (so, said, mend)
        where v.so limit 1) r
    where q.id = send_unknown_recipient_zone.send_id
$$;
