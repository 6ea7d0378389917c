-- A person's word that nothing of a campaign's uncertain sends went out. Returns how many were put back.
create or replace function send_settle_campaign(campaign text, workspace text default null,
    at timestamptz default null)
returns int language sql as $$
    select count(send_settle(q.id, false, null, send_settle_campaign.at))::int
    from send_queue q
    where q.status = 'uncertain'
      and q.campaign_id = send_find('campaign', send_settle_campaign.campaign, send_settle_campaign.workspace)
$$;
