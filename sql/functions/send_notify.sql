-- Enqueue one row for each notification with news since its last one, with all the news counted in it. Returns the
-- number of rows.
--
-- A notification looks for news at most once a minute and goes out at most once in its `every`. Its look is bounded by
-- indexes: the rows that failed or came in doubt since the last look, 1,000 at most; the accounts cut off
-- (send_cut_off); the campaigns that had pending rows and have none now. Its own campaign and that campaign's accounts
-- are left out.
--
-- A row becomes visible at its commit, later than its updated_at: so the last ten seconds are read again, without the
-- ids already known. Nothing waits: a locked notification is skipped. A notification that cannot be enqueued is a
-- warning, and does not fail the run.
create or replace function send_notify(at timestamptz default null) returns int language plpgsql
set lock_timeout = '1s' as $$
#variable_conflict use_column
declare
    v_at      timestamptz := coalesce(send_notify.at, clock_timestamp());
    v_overlap interval := '10 seconds';
    v_known   uuid[];
    v_new     uuid[];
    v_told    int := 0;
    v_n       record;
begin
    if send_rehearse(send_notify.at) and send_leaves_no_trace() then
        return 0; -- a rehearsal makes no news
    end if;
    for v_n in
        select n.*, w.name as workspace, c.name as campaign, a.name as account
        from send_notifications n
        join send_workspaces w on w.id = n.workspace_id
        join send_campaigns c on c.id = n.campaign_id and c.status <> 'done'
        join send_accounts a on a.id = n.account_id
        -- A look in the future was a rehearsal's.
        where (n.looked_at <= v_at - interval '1 minute' or n.looked_at > v_at)
          and (n.told_at is null or n.told_at <= v_at - n.every or n.told_at > v_at)
        order by n.id for no key update of n skip locked
    loop
        v_new := '{}';
        v_n.looked_at := least(v_n.looked_at, v_at);
        case
            when v_n.event in ('failed', 'uncertain') then
                select coalesce(array_agg(q.id) filter (where q.id <> all (v_n.known)), '{}'),
                    coalesce(array_agg(q.id) filter (where q.updated_at > v_at - v_overlap), '{}')
                into v_new, v_known
                from (select q.id, q.updated_at from send_queue q
                      where q.status = v_n.event and q.workspace_id = v_n.workspace_id
                        and q.campaign_id <> v_n.campaign_id
                        and q.updated_at > v_n.looked_at - v_overlap and q.updated_at <= v_at
                      order by q.status, q.updated_at limit 1000) q;
            when v_n.event = 'disconnected' then
                v_known := send_cut_off(v_n.workspace_id, v_n.campaign_id);
                v_new := array(select unnest(v_known) except select unnest(v_n.known));
            when v_n.event = 'finished' then
                v_known := send_unfinished_campaigns(v_n.workspace_id, v_n.campaign_id);
                v_new := array(select unnest(v_n.known) except select unnest(v_known));
        end case;
        if cardinality(v_new) > 0 then
            begin
                perform from send_notice(v_n.event, v_n.workspace, v_new) s
                cross join lateral send_enqueue(v_n.campaign, 'webhook', v_n.recipient, s.message,
                    account => v_n.account, workspace => v_n.workspace, payload => s.payload,
                    expires_at => v_at + interval '1 day', scheduled_for => v_at,
                    dedupe_key => concat_ws(':', 'notification', v_n.id, extract(epoch from v_at)), at => v_at, subject => null,
                    prospect => null, priority => null) e;
                v_told := v_told + 1;
            exception when sqlstate 'SQ002' or sqlstate 'SQ005' or sqlstate 'SQ006' or lock_not_available then
                raise warning 'The notification could not be enqueued (%): see `send-queue notify list`.', sqlerrm;
            end;
        end if;
        update send_notifications n
        set looked_at = v_at, known = v_known,
            told_at = case when cardinality(v_new) > 0 then v_at when n.told_at <= v_at then n.told_at end
        where n.id = v_n.id;
    end loop;
    return v_told;
end
$$;
