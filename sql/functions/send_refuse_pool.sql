-- Refuse a message for a campaign without a pool account that serves the channel (SQ006).
create or replace function send_refuse_pool(campaign_id uuid, channel text) returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_campaign text := (select c.name from send_campaigns c where c.id = send_refuse_pool.campaign_id);
begin
    if exists (select from send_campaign_accounts p where p.campaign_id = send_refuse_pool.campaign_id and p.in_pool) then
        raise exception 'No account in the pool of the campaign % sends %: add one that does with `send-queue campaign '
            'set % --account NAME`, or name the account.', quote_literal(v_campaign), send_refuse_pool.channel, v_campaign
            using errcode = 'SQ006';
    end if;
    raise exception 'The campaign % has no accounts: add one with `send-queue campaign set % --account NAME`, or '
        'name the account.', quote_literal(v_campaign), v_campaign using errcode = 'SQ006';
end
$$;
