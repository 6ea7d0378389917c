-- Complete rows inserted by hand with only a campaign: its workspace; the account that the queue would choose, which
-- must serve the channel; the known prospect of the recipient; the lane and the place in the campaign. Our own
-- functions give the workspace and do not pass here.
--
-- No prospect is made or waited for: two transactions that insert rows to the same prospects in different orders would
-- deadlock. A pending row needs a valid recipient; a row already sent elsewhere is stored as it is.
create or replace function send_on_manual_insert() returns trigger language plpgsql as $$
declare
    v_prospect record;
    v_wrong    text;
begin
    select c.workspace_id into new.workspace_id from send_campaigns c where c.id = new.campaign_id;
    if new.workspace_id is null then
        raise exception 'There is no campaign with the id %: add one with `send-queue campaign add`.', new.campaign_id
            using errcode = 'SQ005';
    end if;
    if tg_table_name = 'send_queue' then
        v_wrong := send_check_recipient(new.channel, new.recipient);
        if v_wrong is null then
            new.prospect_id := coalesce(new.prospect_id,
                send_known_prospect(new.workspace_id, new.channel, new.recipient));
        elsif new.status = 'pending' then
            raise exception '%', v_wrong using errcode = 'SQ002';
        end if;
        select p.account_id, p.accounts into v_prospect from send_prospects p where p.id = new.prospect_id;
        new.account_id := send_account_for(new.campaign_id, new.channel, new.account_id, v_prospect.account_id,
            v_prospect.accounts);
        if not v_prospect.accounts ? new.channel then
            perform from send_prospects p where p.id = new.prospect_id for no key update skip locked;
            if found then
                perform send_know_account(new.prospect_id, new.channel, new.account_id);
            end if;
        end if;
        if new.status = 'pending' then
            new.error_message := send_suppressed(new.workspace_id, new.channel, new.recipient);
            if new.error_message is not null then
                new.status := 'skipped';
                new.error_code := 'suppressed';
            end if;
        end if;
    end if;
    return new;
end
$$;

create or replace trigger manual_insert_is_completed before insert on send_queue for each row
when (new.workspace_id is null) execute function send_on_manual_insert();

create or replace trigger manual_insert_is_completed before insert on send_campaign_accounts for each row
when (new.workspace_id is null) execute function send_on_manual_insert();
