-- Hold a lane, or a whole account, because its provider said so: one write on the lane, none on the rows that wait.
--
-- hold_seconds     how long; null: until a person acts, and the account is disconnected with the reason
-- ceiling_seconds  where given, the hold doubles with each in a row, up to this; sends that were in flight together
--                  and meet the same limit count as one
create or replace function send_hold(account_id uuid, channel text, scope text, code text, message text,
    hold_seconds float8, ceiling_seconds float8, started_at timestamptz, at timestamptz)
returns void language plpgsql as $$
#variable_conflict use_column
begin
    if hold_seconds is null then
        update send_accounts a
        set status = 'disconnected', status_reason = concat_ws(': ', code, nullif(message, ''))
        where a.id = send_hold.account_id and a.status = 'active';
    end if;
    -- All the account's lanes in one order, so that two such holds never wait for each other.
    perform from send_lanes l
    where l.account_id = send_hold.account_id and (scope = 'account' or l.channel = send_hold.channel)
    order by l.channel for no key update;
    if hold_seconds is null then
        return;
    end if;
    update send_lanes l
    set next_at = greatest(case when l.next_at_reason is null or l.next_at_reason in ('provider_hold', 'min_gap')
                                then l.next_at end, -- a wait for a limit is worked out anew when the hold is over
                           send_hold.at + make_interval(secs => case
                               when ceiling_seconds is null then hold_seconds
                               else least(hold_seconds * power(2, least(l.holds_in_a_row, 20)), ceiling_seconds) end)),
        next_at_reason = 'provider_hold',
        next_at_detail = concat_ws(': ', code, nullif(message, '')),
        holds_in_a_row = l.holds_in_a_row + (ceiling_seconds is not null)::int
    where l.account_id = send_hold.account_id and (scope = 'account' or l.channel = send_hold.channel)
      and not (ceiling_seconds is not null and l.next_at_reason = 'provider_hold' and l.next_at > send_hold.at);
end
$$;
