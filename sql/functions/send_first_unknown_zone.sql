-- Return a sentence on the first lane with due rows whose cap zone this server does not know; null: none. Claims skip
-- such lanes (send_remaining_capacity); a run reports it at its end.
create or replace function send_first_unknown_zone(at timestamptz, account text default null, channel text default null,
    campaign text default null) returns text language sql stable as $$
    select l.next_at_detail
    from send_lanes l
    where l.next_at_reason = 'cap_timezone' and l.paused_at is null
      and (send_first_unknown_zone.channel is null or l.channel = send_first_unknown_zone.channel)
      and exists (select from send_due(l.account_id, l.channel, send_first_unknown_zone.at,
                                       send_first_unknown_zone.account, send_first_unknown_zone.campaign))
      and send_local_time(send_first_unknown_zone.at, l.cap_timezone) is null
    limit 1
$$;
