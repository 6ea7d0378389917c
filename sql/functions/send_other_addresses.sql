-- Return the other addresses, as keys, of a workspace's prospects with this one, 100 at most: a suppression for every
-- channel covers them all.
--
-- The settings force one index scan for each kind of address, as in send_known_prospect.
create or replace function send_other_addresses(workspace_id uuid, recipient text) returns setof text
language plpgsql stable set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    v_key text := send_normal_recipient(recipient);
begin
    return query
    with known as (
        (select p.linkedin_user_id, p.email, p.phone from send_prospects p
         where p.workspace_id = send_other_addresses.workspace_id and p.linkedin_user_id is not null
           and send_normal_recipient(p.linkedin_user_id) = v_key limit 100)
        union all
        (select p.linkedin_user_id, p.email, p.phone from send_prospects p
         where p.workspace_id = send_other_addresses.workspace_id and p.email is not null
           and send_normal_recipient(p.email) = v_key limit 100)
        union all
        (select p.linkedin_user_id, p.email, p.phone from send_prospects p
         where p.workspace_id = send_other_addresses.workspace_id and p.phone is not null
           and send_normal_recipient(p.phone) = v_key limit 100)
    )
    select distinct a.address
    from known k cross join lateral (values (send_normal_recipient(k.linkedin_user_id)),
        (send_normal_recipient(k.email)), (send_normal_recipient(k.phone))) a (address)
    where a.address <> v_key and a.address <> '' limit 100;
end
$$;
