-- All that `status` shows, at a moment, as one JSON object: {queue, lanes, campaigns, uncertain, failed, in_flight}.
create or replace function send_status(at timestamptz default null) returns jsonb language sql stable set timezone = 'UTC' as $$
    select jsonb_build_object(
        'at', m.at,
        'queue', (select coalesce(jsonb_object_agg(s.status, s.sends), '{}')
                  from (select status, sum(sends) as sends from send_queue_status group by status) s),
        'lanes', (select coalesce(jsonb_agg(to_jsonb(r)), '[]') from send_lane_report(m.at) r),
        'campaigns', (select coalesce(jsonb_agg(to_jsonb(p)), '[]') from send_campaign_progress p),
        'uncertain', (select count(*) from send_queue q where q.status = 'uncertain'),
        'failed', (select count(*) from send_queue q where q.status = 'failed'))
    from (select coalesce(send_status.at, clock_timestamp()) as at) m
$$;
