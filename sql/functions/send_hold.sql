-- Hold a lane, or a whole account, because its provider said so: one write on the lane, none on the rows that wait.
-- The longest of several holds wins. The caller holds the lanes, and before them the account where the hold has no end.
--
-- hold_seconds     how long; null: until a person acts, and the account is disconnected with the reason
-- ceiling_seconds  where given, the hold doubles with each in a row, up to this; while a lane is held the next one is
--                  no step further (sends that were in flight together meet one limit) and is taken as it is
create or replace function send_hold(account_id uuid, channel text, scope text, code text, message text,
    hold_seconds float8, ceiling_seconds float8, at timestamptz)
returns void language plpgsql as $$
#variable_conflict use_column
begin
    if hold_seconds is null then
        update send_accounts a
        set status = 'disconnected', status_reason = concat_ws(': ', code, nullif(message, ''))
        where a.id = send_hold.account_id and a.status = 'active';
        return;
    end if;
    update send_lanes l
    set next_at = greatest(h.so_far, h.until), next_at_reason = 'provider_hold',
        next_at_detail = case when h.held and h.so_far > h.until then l.next_at_detail
                              else concat_ws(': ', code, nullif(message, '')) end,
        consecutive_holds = l.consecutive_holds + (ceiling_seconds is not null and not h.held)::int
    from (
        select o.channel, s.held,
            -- A wait for a limit is worked out anew when the hold is over.
            case when coalesce(o.next_at_reason, 'min_gap') in ('provider_hold', 'min_gap') then o.next_at end as so_far,
            send_hold.at + make_interval(secs => least(ceiling_seconds,
                hold_seconds * case when ceiling_seconds is null or s.held then 1
                                    else power(2, least(o.consecutive_holds, 20)) end)) as until
        from send_lanes o cross join lateral (
            select o.next_at_reason is not distinct from 'provider_hold' and o.next_at > send_hold.at as held) s
        where o.account_id = send_hold.account_id and (scope = 'account' or o.channel = send_hold.channel)) h
    where l.account_id = send_hold.account_id and l.channel = h.channel;
end
$$;
