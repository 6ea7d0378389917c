-- Return the columns of a recipient's prospect, with attributes as an object, for templates; null if the campaign's
-- workspace has no prospect with that address.
create or replace function send_prospect_fields(campaign text, channel text, recipient text,
    workspace text default null)
returns jsonb language plpgsql stable as $$
#variable_conflict use_column
declare
    v_workspace uuid := (select c.workspace_id from send_campaigns c
                         where c.id = send_campaign_named(send_prospect_fields.campaign, workspace, null));
begin
    return (
        select to_jsonb(p) - '{id, workspace_id, account_id, accounts, created_at, status, follow_up_due_at}'::text[]
        from send_prospects p
        where p.id = send_known_prospect(v_workspace, send_prospect_fields.channel, send_prospect_fields.recipient));
end
$$;
