-- A person's word that nothing of a campaign's uncertain sends went out. Returns how many were put back.
create or replace function send_settle_campaign(campaign text, workspace text default null,
    at timestamptz default null)
returns int language plpgsql as $$
#variable_conflict use_column
declare
    v_campaign uuid := send_find('campaign', campaign, workspace);
    v_ids      uuid[];
    v_n        int := 0;
    v_id       uuid;
begin
    v_ids := array(select q.id from send_queue q where q.status = 'uncertain' and q.campaign_id = v_campaign);
    -- All lanes before the first row, in the order of send_record.
    perform from send_lanes l
    where (l.account_id, l.channel) in (select q.account_id, q.channel from send_queue q where q.id = any (v_ids))
    order by l.account_id, l.channel for no key update;
    v_ids := array(select q.id from send_queue q where q.id = any (v_ids) and q.status = 'uncertain'
                   order by q.account_id, q.channel, q.id for no key update);
    foreach v_id in array v_ids loop
        perform send_settle(v_id, false, null, send_settle_campaign.at);
        v_n := v_n + 1;
    end loop;
    return v_n;
end
$$;
