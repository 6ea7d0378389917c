-- End the provider holds of an account, or of one of its lanes, before their time; with a code, only holds with that
-- code. The gap after the last send stays.
create or replace function send_end_holds(account_id uuid, channel text default null, code text default null)
returns void language plpgsql as $$
#variable_conflict use_column
begin
    perform from send_lanes l
    where l.account_id = send_end_holds.account_id and (send_end_holds.channel is null or l.channel = send_end_holds.channel)
    order by l.channel for no key update;
    update send_lanes l
    set next_at = send_after_gap(l.account_id, l.channel, l.min_gap_seconds),
        next_at_reason = case when l.min_gap_seconds > 0 then 'min_gap' end, next_at_detail = null
    where l.account_id = send_end_holds.account_id and (send_end_holds.channel is null or l.channel = send_end_holds.channel)
      and l.next_at_reason = 'provider_hold'
      and (code is null or split_part(l.next_at_detail, ':', 1) = code);
end
$$;
