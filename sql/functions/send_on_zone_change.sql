-- Store a zone under its present name, and refuse one unknown to the server. Triggers, not CHECKs: a CHECK would lose
-- rows in a restore to a server with fewer zones. A row whose zone stays may change otherwise.
create or replace function send_on_zone_change() returns trigger language plpgsql as $$
declare
    v_zone text;
    v_name text;
begin
    if tg_table_name = 'send_lanes' then
        v_zone := case when new.cap_timezone is distinct from old.cap_timezone then new.cap_timezone end;
    else
        v_zone := case when new.timezone is distinct from old.timezone then new.timezone end;
    end if;
    if v_zone is null then
        return new;
    end if;
    v_name := send_timezone(v_zone);
    if v_name is null and send_is_timezone(v_zone) then
        raise exception 'There is no time zone %, an abbreviation or an offset: write a name of the IANA database, '
            'such as America/New_York.', quote_literal(v_zone) using errcode = 'SQ002', constraint = tg_name;
    end if;
    if v_name is null then
        raise exception 'The database server knows no time zone %: write a name of the IANA database, such as '
            'America/New_York, or add the zone to the server.', quote_literal(v_zone)
            using errcode = 'SQ002', constraint = tg_name;
    end if;
    if tg_table_name = 'send_lanes' then
        new.cap_timezone := v_name;
    else
        new.timezone := v_name;
    end if;
    return new;
end
$$;

create or replace trigger timezone_is_known before insert or update of timezone on send_workspaces for each row
execute function send_on_zone_change();
create or replace trigger timezone_is_known before insert or update of timezone on send_schedules for each row
execute function send_on_zone_change();
create or replace trigger timezone_is_known before insert or update of timezone on send_prospects for each row
when (new.timezone is not null) execute function send_on_zone_change();
create or replace trigger cap_timezone_is_known before insert or update of cap_timezone on send_lanes for each row
execute function send_on_zone_change();
