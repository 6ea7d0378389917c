-- Refuse to write to prospects of an account that left the pool without a successor (SQ006).
--
-- people  their number in a file; null: one message
create or replace function send_refuse_left(campaign_id uuid, account_id uuid, people int) returns void
language plpgsql as $$
#variable_conflict use_column
declare
    v_campaign text := (select c.name from send_campaigns c where c.id = send_refuse_left.campaign_id);
    v_account  text := (select a.name from send_accounts a where a.id = send_refuse_left.account_id);
begin
    raise exception '% by the account %, which has left the pool of the campaign %: name its successor with '
        '`send-queue reassign % --to NAME --campaign %`, or name the account.',
        case when people is null then 'The recipient was written to'
             when people = 1 then 'One of these people was written to'
             else people::text || ' of these people were written to' end,
        quote_literal(v_account), quote_literal(v_campaign), v_account, v_campaign using errcode = 'SQ006';
end
$$;
