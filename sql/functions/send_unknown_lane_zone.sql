-- Return the sentence on a lane whose cap zone this server does not know, with the remedy.
create or replace function send_unknown_lane_zone(account_id uuid, channel text, zone text) returns text
language sql stable as $$
    select format('The database server does not know the time zone %s, in which the caps of the lane %s %s are counted, so '
        'that it does not send: run `send-queue lane set %s %s --cap-timezone %s%s`, or add the zone to the server.',
        zone, a.name, send_unknown_lane_zone.channel, a.name, send_unknown_lane_zone.channel, coalesce(send_timezone(zone), 'NAME'),
        case when w.name <> 'default' then ' --workspace ' || w.name else '' end)
    from send_accounts a join send_workspaces w on w.id = a.workspace_id where a.id = send_unknown_lane_zone.account_id
$$;
