-- List the waiting sends that can be amended, those named or a campaign's, by account, channel and id.
--
-- Returns {id, campaign, channel, account, recipient, subject, message, fixed, fields}: `fixed`: an earlier try may
-- have gone out, so the send must stay; `fields`: the prospect's columns and attributes. Raises SQ005 or SQ006 for a
-- named send that does not wait.
create or replace function send_amendable(ids uuid[] default null, campaign text default null,
    workspace text default null)
returns setof jsonb language plpgsql stable
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_campaign uuid := case when campaign is not null then send_find('campaign', campaign, workspace) end;
    v_odd      record;
begin
    select i.id, q.status into v_odd from unnest(ids) i (id) left join send_queue q using (id)
    where q.status is distinct from 'pending' limit 1;
    if found then
        raise exception 'Send % %: only waiting sends can be amended; see `send-queue list --status pending`.',
            v_odd.id, coalesce('is ' || v_odd.status, 'is not there')
            using errcode = case when v_odd.status is null then 'SQ005' else 'SQ006' end;
    end if;
    return query
    select jsonb_build_object('id', q.id, 'campaign', c.name, 'channel', q.channel, 'account', a.name,
        'recipient', q.recipient, 'subject', q.subject, 'message', q.message,
        'fixed', q.repeat_by is not null or exists (
            select from send_attempts b where b.send_id = q.id and b.outcome = 'uncertain'),
        'fields', coalesce((
            select to_jsonb(p)
                - '{id, workspace_id, account_id, accounts, created_at, status, follow_up_due_at}'::text[]
            from send_prospects p where p.id = q.prospect_id), '{}'))
    from send_queue q
    cross join lateral (select * from send_campaigns c where c.id = q.campaign_id limit 1) c
    cross join lateral (select * from send_accounts a where a.id = q.account_id limit 1) a
    where q.status = 'pending' and (ids is null or q.id = any (ids))
      and (v_campaign is null or q.campaign_id = v_campaign)
    order by q.account_id, q.channel, q.id;
end
$$;
