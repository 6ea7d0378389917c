-- Choose the account that writes to a prospect for a campaign on a channel, and make its lane and its place in the
-- campaign: the named one, else the one that the prospect knows (send_own_account), else the least loaded of the pool.
--
-- named            null: none
-- first, accounts  the prospect's account_id and accounts; null and {} without a prospect
--
-- Raises SQ002 if the named account does not serve the channel; SQ006 if no account of the pool does, or if the account
-- that the prospect knows has left the pool.
create or replace function send_account_for(campaign_id uuid, channel text, named uuid, first uuid, accounts jsonb)
returns uuid language plpgsql as $$
#variable_conflict use_column
declare
    v_campaign record;
    v_id       uuid := named;
    v_unserved text;
    v_left     uuid;
    v_unfit    text[];
begin
    select c.name, c.workspace_id into v_campaign from send_campaigns c where c.id = send_account_for.campaign_id;
    if v_id is not null then
        v_unserved := send_unserved(v_id, send_account_for.channel);
        if v_unserved is not null then
            raise exception '%: name an account that does, or use another channel.', v_unserved using errcode = 'SQ002';
        end if;
    elsif first is not null then
        v_unfit := send_not_serving(send_account_for.channel); -- computed once, not for each account
        select o.account_id, o.left_id into v_id, v_left
        from send_own_account(send_account_for.campaign_id, send_account_for.channel, v_unfit, first, accounts) o;
        if v_left is not null then
            perform send_refuse_left(send_account_for.campaign_id, v_left, null);
        end if;
    end if;
    v_id := coalesce(v_id, send_choose_account(send_account_for.campaign_id, send_account_for.channel));
    if v_id is null then
        perform send_refuse_pool(send_account_for.campaign_id, send_account_for.channel);
    end if;
    perform send_ensure_place(v_campaign.workspace_id, send_account_for.campaign_id, v_id, send_account_for.channel);
    return v_id;
end
$$;
