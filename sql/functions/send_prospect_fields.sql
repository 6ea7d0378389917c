-- What is known of the person behind a recipient, for templates: their columns, and their attributes as an object. Null
-- where nobody is known by that address in the campaign's workspace.
create or replace function send_prospect_fields(campaign text, channel text, recipient text,
    workspace text default null)
returns jsonb language plpgsql stable as $$
#variable_conflict use_column
declare
    v_workspace uuid := (select c.workspace_id from send_campaigns c
                         where c.id = send_campaign_named(send_prospect_fields.campaign, workspace, null));
    v_address   text := btrim(send_prospect_fields.recipient);
begin
    return (
        select to_jsonb(p) - '{id, workspace_id, account_id, accounts, created_at, status, follow_up_due_at}'::text[]
        from send_prospects p
        where p.workspace_id = v_workspace and case
            when send_prospect_fields.channel like 'linkedin%' then p.linkedin_user_id = v_address
            when send_prospect_fields.channel = 'email' then lower(p.email) = lower(v_address)
            when send_prospect_fields.channel = 'sms' then p.phone = v_address end);
end
$$;
