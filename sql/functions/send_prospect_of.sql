-- Return the prospect of a recipient, made if missing; null for channels that do not write to a person.
create or replace function send_prospect_of(workspace_id uuid, channel text, recipient text) returns uuid
language plpgsql as $$
#variable_conflict use_column
declare
    v_id uuid;
begin
    for v_try in 1..2 loop
        v_id := send_known_prospect(workspace_id, channel, recipient);
        exit when v_id is not null or v_try = 2 or not (channel like 'linkedin%' or channel in ('email', 'sms'));
        insert into send_prospects as p (workspace_id, linkedin_user_id, email, phone)
        values (send_prospect_of.workspace_id,
                case when send_prospect_of.channel like 'linkedin%' then recipient end,
                case when send_prospect_of.channel = 'email' then recipient end,
                case when send_prospect_of.channel = 'sms' then recipient end)
        on conflict do nothing returning p.id into v_id;
        exit when v_id is not null;
    end loop;
    return v_id;
end
$$;
