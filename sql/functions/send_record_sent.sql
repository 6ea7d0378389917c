-- Write down sends that all went out, at once: what send_record does for each, in a few statements. The caller holds
-- their rows and attempts.
--
-- Those whose attempt somebody else has finished meanwhile are left to send_record. Two messages that a provider names
-- alike raise unique_violation: then nothing is written here.
create or replace function send_record_sent(results jsonb, at timestamptz) returns setof uuid language plpgsql as $$
#variable_conflict use_column
declare
    v_told     jsonb := (select jsonb_object_agg(r ->> 'attempt_id', r) from jsonb_array_elements(results) r);
    v_attempts uuid[] := array(select id::uuid from jsonb_object_keys(v_told) id);
    v_sent     uuid[];
begin
    with finished as (
        update send_attempts b -- by ids, not by a join: there is no wrong way around
        set outcome = 'sent', finished_at = send_record_sent.at,
            http_status = (v_told -> b.id::text ->> 'http_status')::int,
            provider_message_id = v_told -> b.id::text ->> 'provider_message_id'
        where b.id = any (v_attempts) and b.outcome is null
        returning b.send_id, b.provider_message_id
    ), sent as (
        update send_queue q
        set status = 'sent', claimed_by = null, lease_expires_at = null, updated_at = send_record_sent.at,
            attempts = q.attempts + 1, sent_at = send_record_sent.at, look_up_at = null, look_ups = 0,
            absent_since = null, error_code = null, error_message = null,
            provider_message_id = coalesce(f.provider_message_id, q.provider_message_id)
        from finished f where q.id = f.send_id
        returning q.id, q.channel, q.prospect_id, q.campaign_id
    ), asked as (
        update send_prospects p
        set status = 'connection_request_sent', follow_up_due_at = send_record_sent.at + c.follow_up_after
        from sent s join send_campaigns c on c.id = s.campaign_id
        where s.channel = 'linkedin_invite' and p.id = s.prospect_id
    )
    select array_agg(s.id) into v_sent from sent s;
    return query select unnest(v_sent);
end
$$;
