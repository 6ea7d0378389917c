-- Make failed rows pending again, due at once with all their tries: those named, or all (of a campaign). Returns their
-- number; refuses a row that has not failed; warns if an earlier try may have gone out.
create or replace function send_retry(ids uuid[] default null, campaign text default null,
    workspace text default null, at timestamptz default null, code text default null, account text default null)
returns int language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at       timestamptz := coalesce(send_retry.at, clock_timestamp());
    v_campaign uuid := case when campaign is not null then send_find('campaign', campaign, workspace) end;
    v_account  uuid := case when account is not null then send_find('account', account, workspace) end;
    v_ids      uuid[];
    v_odd      record;
    v_n        int;
begin
    select i.id, q.status into v_odd from unnest(ids) i (id) left join send_queue q using (id)
    where q.status is distinct from 'failed' limit 1;
    if found then
        raise exception 'Send % % retried: only a failed send can be, see `send-queue explain %`.', v_odd.id,
            case when v_odd.status is null then 'does not exist and cannot be'
                 else format('is %s and cannot be', v_odd.status) end, v_odd.id
            using errcode = case when v_odd.status is null then 'SQ005' else 'SQ006' end;
    end if;
    v_ids := array(
        select q.id from send_queue q
        where q.status = 'failed' and (ids is null or q.id = any (ids))
          and (v_campaign is null or q.campaign_id = v_campaign) and (v_account is null or q.account_id = v_account)
          and (send_retry.code is null or q.error_code = send_retry.code)
        order by q.account_id, q.channel, q.id for no key update); -- in the order of send_record
    select count(*) as n, min(q.id::text) as id into v_odd from send_queue q
    where q.id = any (v_ids)
      and exists (select from send_attempts b where b.send_id = q.id and b.outcome = 'uncertain');
    if v_odd.n > 0 then
        raise warning 'Of % retried sends an earlier try may have gone out (send %): look at the provider, and cancel the '
            'sends found there.', v_odd.n, v_odd.id;
    end if;
    update send_queue q
    set status = 'pending', scheduled_for = v_at, attempts = 0, updated_at = v_at,
        expires_at = case when q.expires_at > v_at then q.expires_at end
    where q.id = any (v_ids);
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
