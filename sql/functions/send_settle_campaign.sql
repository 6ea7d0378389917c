-- Settle all uncertain sends of a campaign as not sent, by a person's word. Returns the number made pending.
create or replace function send_settle_campaign(campaign text, workspace text default null,
    at timestamptz default null)
returns int language plpgsql
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_at       timestamptz := coalesce(send_settle_campaign.at, clock_timestamp());
    v_campaign uuid := send_find('campaign', campaign, workspace);
    v_ids      uuid[];
    v_accounts uuid[];
    v_channels text[];
    v_early    bigint;
begin
    v_ids := array(select q.id from send_queue q where q.status = 'uncertain' and q.campaign_id = v_campaign);
    -- Lock all lanes before the first row, in the order of send_record.
    select array_agg(l.account_id), array_agg(l.channel) into v_accounts, v_channels
    from (select distinct q.account_id, q.channel from send_queue q where q.id = any (v_ids)) l;
    perform send_lock_lanes(v_accounts, v_channels, v_accounts);
    v_ids := array(select q.id from send_queue q where q.id = any (v_ids) and q.status = 'uncertain'
                   order by q.account_id, q.channel, q.id for no key update);
    select count(*) into v_early from send_queue q where q.id = any (v_ids) and q.look_up_at is not null;
    if v_early > 0 then
        raise warning 'Of % settled sends the provider was still to be asked about %: if it shows one after all, '
            '`send-queue cancel ID` before the next run.', cardinality(v_ids), v_early;
    end if;
    perform send_release(i.id, null) from unnest(v_ids) i (id);
    update send_queue q
    set status = 'pending', updated_at = v_at, error_code = null, error_message = null, look_up_at = null
    where q.id = any (v_ids);
    return cardinality(v_ids);
end
$$;
