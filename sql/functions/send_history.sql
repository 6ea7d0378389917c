-- Return the events of a send in order, from the ledger, one object each: {at, event, attempt, worker, seconds,
-- http_status, code, detail}. `at` is null if the ledger has no moment: of a look-up or a settlement by a person it
-- keeps only the result. Raises SQ005 if the send does not exist.
create or replace function send_history(id uuid) returns setof jsonb language plpgsql stable
set timezone = 'UTC' set datestyle = 'ISO'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_send send_queue;
begin
    select q.* into v_send from send_queue q where q.id = send_history.id;
    if not found then
        raise exception 'There is no send %: find one with `send-queue list`.', send_history.id
            using errcode = 'SQ005';
    end if;
    return query
    select jsonb_build_object('at', e.at, 'event', e.event, 'attempt', e.attempt, 'worker', e.worker,
        'seconds', e.seconds, 'http_status', e.http_status, 'code', e.code, 'detail', e.detail)
    from (
        select 0 as number, 0 as step, v_send.created_at as at, 'enqueued' as event, null::int as attempt,
            null::text as worker, null::numeric as seconds, null::int as http_status, null::text as code,
            case when v_send.scheduled_for > v_send.created_at and v_send.attempts = 0
                then 'scheduled for ' || to_char(v_send.scheduled_for at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') end as detail
        union all
        select b.number, 1, b.started_at, 'claimed', b.number, b.worker, null, null, null, null
        from send_attempts b where b.send_id = v_send.id
        union all
        -- A released or sent attempt with an error code was in doubt first.
        select b.number, 2, b.finished_at, case when d.doubted then 'uncertain' else b.outcome end, b.number, b.worker,
            round(extract(epoch from b.finished_at - b.started_at), 3), b.http_status, b.error_code, b.error_message
        from send_attempts b
        cross join lateral (select b.outcome in ('sent', 'released') and b.error_code is not null as doubted) d
        where b.send_id = v_send.id and b.outcome is not null
        union all
        select b.number, 3, case when b.outcome = 'sent' and v_send.status = 'sent' then v_send.sent_at end, 'settled',
            b.number, null, null, null, b.outcome,
            case b.outcome when 'sent' then 'It had gone out.' else 'It had not gone out.' end
        from send_attempts b
        where b.send_id = v_send.id and b.outcome in ('sent', 'released') and b.error_code is not null
        union all
        select v.number, 4, v.at, v.event, null, null, null, null, v_send.error_code, v.detail
        from (select 2147483647 as number, l.at, l.event, l.detail
              from (values
                  ('pending', 'waits', null, format('It is due from %s on: `send-queue explain %s` names its holds.',
                      to_char(v_send.scheduled_for at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), v_send.id)),
                  ('sending', 'in_flight', null, format('Until %s it is %s''s.',
                      to_char(v_send.lease_expires_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), v_send.claimed_by)),
                  ('uncertain', 'in_doubt', null, case
                      when v_send.look_up_at is null then 'It waits for a person''s word.'
                      when v_send.look_ups = 0 then format('The provider is asked at %s.',
                          to_char(v_send.look_up_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
                      else format('The provider was asked %s without an answer that tells, and is asked again at %s.',
                          case v_send.look_ups when 1 then 'once' else v_send.look_ups::text || ' times' end,
                          to_char(v_send.look_up_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')) end),
                  ('skipped', 'skipped', v_send.updated_at, v_send.error_message),
                  ('failed', 'failed', v_send.updated_at, v_send.error_message)) l (status, event, at, detail)
              where l.status = v_send.status
                and not (l.status = 'failed' and exists (
                    select from send_attempts b where b.send_id = v_send.id and b.outcome = 'failed'
                      and b.finished_at = v_send.updated_at))) v) e
    order by e.number, e.step;
end
$$;
