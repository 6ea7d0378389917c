-- Return the prospect with a recipient's address in any spelling, the oldest of several; null: none, or the channel
-- does not write to a person.
--
-- The settings force an index plan: a long-lived connection may have planned while the table was empty.
create or replace function send_known_prospect(workspace_id uuid, channel text, recipient text) returns uuid
language plpgsql stable set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    v_key text := send_normal_recipient(recipient);
    v_id  uuid;
begin
    case
        when send_known_prospect.channel like 'linkedin%' then
            select p.id into v_id from send_prospects p
            where p.workspace_id = send_known_prospect.workspace_id and p.linkedin_user_id is not null
              and send_normal_recipient(p.linkedin_user_id) = v_key
            order by p.created_at, p.id limit 1;
        when send_known_prospect.channel = 'email' then
            select p.id into v_id from send_prospects p
            where p.workspace_id = send_known_prospect.workspace_id and p.email is not null
              and send_normal_recipient(p.email) = v_key
            order by p.created_at, p.id limit 1;
        when send_known_prospect.channel = 'sms' then
            select p.id into v_id from send_prospects p
            where p.workspace_id = send_known_prospect.workspace_id and p.phone is not null
              and send_normal_recipient(p.phone) = v_key
            order by p.created_at, p.id limit 1;
        else
            null;
    end case;
    return v_id;
end
$$;
