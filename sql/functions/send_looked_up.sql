-- What a look-up came to: `sent` (the provider has it), `not_sent` (surely not there: pending again, or failed where
-- all tries are used up), `absent` (not there, but it may be listed late: ask again), `early` (asked before its absence
-- could mean anything: ask again), `unknown` (it could not be asked or cannot tell, which is counted: ask again, if
-- `again` says when; else it is left to a person, or pending again where its campaign says `resend` and tries are left).
-- A row that is no longer in doubt is left alone. Returns the status that it has afterwards.
create or replace function send_looked_up(id uuid, verdict text, provider_message_id text default null,
    again interval default null, at timestamptz default null)
returns text language plpgsql as $$
#variable_conflict use_column
declare
    v_at     timestamptz := coalesce(send_looked_up.at, clock_timestamp());
    v_status text;
begin
    perform from send_lanes l join send_queue q on q.account_id = l.account_id and q.channel = l.channel
    where q.id = send_looked_up.id for no key update of l;
    select q.status into v_status from send_queue q where q.id = send_looked_up.id for no key update;
    if v_status <> 'uncertain' then
        return v_status;
    elsif verdict in ('sent', 'not_sent') then
        perform send_settle(send_looked_up.id, verdict = 'sent', send_looked_up.provider_message_id, v_at);
        update send_queue q
        set status = 'failed', error_code = 'not_sent', error_message = 'The provider lost it each time it was tried.'
        from send_campaigns c
        where q.id = send_looked_up.id and q.status = 'pending' and c.id = q.campaign_id
          and q.attempts >= c.max_attempts;
        return (select q.status from send_queue q where q.id = send_looked_up.id);
    end if;
    update send_queue q
    set look_up_at = v_at + again, look_ups = q.look_ups + (verdict = 'unknown')::int,
        absent_since = case when verdict = 'absent' then coalesce(q.absent_since, v_at) end,
        status = case when again is null and c.on_uncertain = 'resend' and q.attempts < c.max_attempts
                      then 'pending' else q.status end
    from send_campaigns c where q.id = send_looked_up.id and c.id = q.campaign_id
    returning q.status into v_status;
    return v_status;
end
$$;
