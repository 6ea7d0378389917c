-- Skip rows before they go, with the reason `cancelled`: those named, or all pending ones of a campaign. Nothing is
-- deleted. Returns their number; refuses a named row that is neither pending nor failed.
create or replace function send_cancel(ids uuid[] default null, campaign text default null,
    workspace text default null, at timestamptz default null)
returns int language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at       timestamptz := coalesce(send_cancel.at, clock_timestamp());
    v_campaign uuid := case when campaign is not null then send_find('campaign', campaign, workspace) end;
    v_odd      record;
    v_n        int;
begin
    if ids is null and v_campaign is null then
        raise exception 'Nothing is named to cancel: give ids or --campaign NAME.' using errcode = 'SQ002';
    end if;
    -- In the order of send_record. Named rows are locked in any status: a row that a claim is taking is waited for, and
    -- refused.
    perform from send_queue q
    where (ids is null or q.id = any (ids)) and (v_campaign is null or q.campaign_id = v_campaign)
      and (q.status = 'pending' or ids is not null)
    order by q.account_id, q.channel, q.id for no key update;
    select i.id, q.status into v_odd from unnest(ids) i (id) left join send_queue q using (id)
    where q.status is null or q.status not in ('pending', 'failed') limit 1;
    if found then
        raise exception 'Send % %: only pending and failed sends can be cancelled.', v_odd.id,
            coalesce('is ' || v_odd.status, 'does not exist')
            using errcode = case when v_odd.status is null then 'SQ005' else 'SQ006' end;
    end if;
    update send_queue q
    set status = 'skipped', error_code = 'cancelled', error_message = 'It was cancelled by hand.', updated_at = v_at
    where (ids is null or q.id = any (ids)) and (v_campaign is null or q.campaign_id = v_campaign)
      and (q.status = 'pending' or (ids is not null and q.status = 'failed'));
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
