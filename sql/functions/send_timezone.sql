-- Return the name to store for a zone: its present name if this server knows it, else the given one, else another name
-- of the same zone; null if the server knows none. Abbreviations and offsets (EST, UTC+3) are no zones, so a name
-- outside send_zone_names needs a slash.
create or replace function send_timezone(zone text) returns text language plpgsql stable parallel unsafe as $$
declare
    v_name text;
    v_rest text[];
begin
    select n.name into v_name from send_zone_names n where lower(n.written) = lower(zone);
    if v_name is null and (zone not like '%/%' or zone like '%,%') then
        return null;
    end if;
    if send_is_timezone(coalesce(v_name, zone)) then
        return coalesce(v_name, zone);
    end if;
    v_rest := zone || array(select o.written from send_zone_names o where o.name = v_name order by o.written);
    foreach v_name in array v_rest loop
        if send_is_timezone(v_name) then
            return v_name;
        end if;
    end loop;
    return null;
end
$$;
