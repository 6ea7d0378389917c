-- Return the ids of people's sends: of those with this recipient among their addresses, in any spelling, or with this
-- part in their name, in any case; of both if both are given. Sends without a prospect are found by their own recipient
-- if they wait or may have gone out.
create or replace function send_of_person(recipient text, name text) returns setof uuid language plpgsql stable
set plan_cache_mode = force_custom_plan set jit = off set enable_bitmapscan = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_key    text := send_normal_recipient(send_of_person.recipient);
    v_part   text := lower(btrim(send_of_person.name));
    v_people uuid[];
begin
    if v_key is not null then
        v_people := array(
            select p.id from send_workspaces w cross join lateral (
                select p.id from send_prospects p
                where p.workspace_id = w.id and p.linkedin_user_id is not null
                  and send_normal_recipient(p.linkedin_user_id) = v_key
                union
                select p.id from send_prospects p
                where p.workspace_id = w.id and p.email is not null and send_normal_recipient(p.email) = v_key
                union
                select p.id from send_prospects p
                where p.workspace_id = w.id and p.phone is not null and send_normal_recipient(p.phone) = v_key) p);
    end if;
    if v_part is not null then
        v_people := array(
            select p.id from send_prospects p
            where (v_key is null or p.id = any (v_people))
              and (strpos(lower(p.name), v_part) > 0
                   or strpos(lower(concat_ws(' ', p.first_name, p.last_name)), v_part) > 0));
    end if;
    return query
    select q.id from unnest(v_people) person (id)
    cross join lateral (select q.id from send_queue q where q.prospect_id = person.id) q;
    if v_key is not null and v_part is null then
        return query
        select q.id from send_workspaces w cross join lateral (
            select q.id from send_queue q
            where q.workspace_id = w.id and send_normal_recipient(q.recipient) = v_key and q.status = 'pending'
              and q.prospect_id is null
            union all
            select q.id from send_queue q
            where q.workspace_id = w.id and send_normal_recipient(q.recipient) = v_key and q.prospect_id is null
              and q.status in ('sent', 'sending', 'uncertain')
              and q.channel in ('email', 'sms', 'linkedin_invite', 'linkedin_message')) q;
    end if;
end
$$;
