-- Find the prospects of staged lines: by the address that is written to, else by another one in the line.
create or replace function send_import_know(workspace_id uuid, address text) returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_by text;
begin
    for v_by in select a from unnest(array['linkedin_user_id', 'email', 'phone']) a order by a <> address loop
        case v_by
            when 'linkedin_user_id' then
                update send_import_lines s set prospect_id = p.id from send_prospects p
                where s.prospect_id is null and p.workspace_id = send_import_know.workspace_id
                  and p.linkedin_user_id = s.linkedin_user_id;
            when 'email' then
                update send_import_lines s set prospect_id = p.id from send_prospects p
                where s.prospect_id is null and p.workspace_id = send_import_know.workspace_id
                  and lower(p.email) = lower(s.email);
            else
                update send_import_lines s set prospect_id = p.id from send_prospects p
                where s.prospect_id is null and p.workspace_id = send_import_know.workspace_id
                  and p.phone = s.phone;
        end case;
    end loop;
end
$$;
