-- Return the prospects of a recipient's person: the row's own, and all with the recipient's key, since two concurrent
-- calls with two spellings make two prospects.
create or replace function send_same_person(workspace_id uuid, channel text, recipient text, prospect_id uuid)
returns uuid[] language plpgsql stable set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    v_key text := send_normal_recipient(recipient);
begin
    return array(
        select send_same_person.prospect_id where send_same_person.prospect_id is not null
        union select p.id from send_prospects p
        where p.workspace_id = send_same_person.workspace_id and p.linkedin_user_id is not null
          and send_same_person.channel like 'linkedin%' and send_normal_recipient(p.linkedin_user_id) = v_key
        union select p.id from send_prospects p
        where p.workspace_id = send_same_person.workspace_id and p.email is not null
          and send_same_person.channel = 'email' and send_normal_recipient(p.email) = v_key
        union select p.id from send_prospects p
        where p.workspace_id = send_same_person.workspace_id and p.phone is not null
          and send_same_person.channel = 'sms' and send_normal_recipient(p.phone) = v_key);
end
$$;
