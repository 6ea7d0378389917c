-- Notify the caller which of several campaigns of one name gets messages without a workspace.
create or replace function send_say_whose(campaign text) returns void language plpgsql as $$
declare
    v_whose text;
begin
    if (select count(*) from send_campaigns c where c.name = send_say_whose.campaign) > 1 then
        select w.name into v_whose from send_campaigns c join send_workspaces w on w.id = c.workspace_id
        where c.id = send_campaign_named(send_say_whose.campaign, null, null);
        raise notice 'Several workspaces have a campaign %: a message without a workspace goes to that of %.',
            quote_literal(send_say_whose.campaign), quote_literal(v_whose) using errcode = 'SQ003';
    end if;
end
$$;
