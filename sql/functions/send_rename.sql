-- Rename a campaign, an account or a schedule (`kind`). Nothing else stores names, but for cron lines and shards.
--
-- Raises SQ002 for a blank name, SQ005 if it does not exist, SQ006 if the name is taken or looked up by commands.
create or replace function send_rename(kind text, name text, new_name text, workspace text default null)
returns void language plpgsql as $$
#variable_conflict use_variable
declare
    v_id uuid := send_find(kind, name, workspace);
begin
    if coalesce(btrim(new_name), '') = '' then
        raise exception 'The new name of the % is missing: give one that is not blank.', kind using errcode = 'SQ002';
    end if;
    if kind = 'campaign' and (name in ('notifications', 'posts') or new_name in ('notifications', 'posts')) then
        raise exception 'Commands look up the campaigns notifications and posts by their names: choose another campaign '
            'or name.' using errcode = 'SQ006';
    end if;
    case kind
        when 'campaign' then update send_campaigns c set name = new_name where c.id = v_id;
        when 'account' then update send_accounts a set name = new_name where a.id = v_id;
        when 'schedule' then update send_schedules s set name = new_name where s.id = v_id;
    end case;
exception when unique_violation then
    raise exception 'The % % is there already: choose another name.', kind, quote_literal(new_name)
        using errcode = 'SQ006';
end
$$;
