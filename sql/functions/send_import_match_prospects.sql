-- Find the prospects of staged lines by their addresses in any spelling: by the recipient, else by another address of
-- the line; of several the oldest. Each is looked up by an index, as in send_known_prospect.
create or replace function send_import_match_prospects(workspace_id uuid, address text) returns void language plpgsql
set jit = off set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    v_by text;
begin
    for v_by in select a from unnest(array['linkedin_user_id', 'email', 'phone']) a order by a <> address loop
        case v_by
            when 'linkedin_user_id' then
                update send_import_lines s set prospect_id = k.id
                from (select o.ctid as it, p.id from send_import_lines o cross join lateral (
                          select p.id from send_prospects p
                          where p.workspace_id = send_import_match_prospects.workspace_id and p.linkedin_user_id is not null
                            and send_normal_recipient(p.linkedin_user_id)
                                = case when v_by = address then o.key else send_normal_recipient(o.linkedin_user_id) end
                          order by p.created_at, p.id limit 1) p
                      where o.prospect_id is null and o.linkedin_user_id is not null) k
                where s.ctid = k.it;
            when 'email' then
                update send_import_lines s set prospect_id = k.id
                from (select o.ctid as it, p.id from send_import_lines o cross join lateral (
                          select p.id from send_prospects p
                          where p.workspace_id = send_import_match_prospects.workspace_id and p.email is not null
                            and send_normal_recipient(p.email)
                                = case when v_by = address then o.key else send_normal_recipient(o.email) end
                          order by p.created_at, p.id limit 1) p
                      where o.prospect_id is null and o.email is not null) k
                where s.ctid = k.it;
            else
                update send_import_lines s set prospect_id = k.id
                from (select o.ctid as it, p.id from send_import_lines o cross join lateral (
                          select p.id from send_prospects p
                          where p.workspace_id = send_import_match_prospects.workspace_id and p.phone is not null
                            and send_normal_recipient(p.phone)
                                = case when v_by = address then o.key else send_normal_recipient(o.phone) end
                          order by p.created_at, p.id limit 1) p
                      where o.prospect_id is null and o.phone is not null) k
                where s.ctid = k.it;
        end case;
    end loop;
end
$$;
