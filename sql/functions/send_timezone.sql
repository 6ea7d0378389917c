-- The name to store for a zone: today's, where this server knows it; else the name as it was given, else any other name
-- of the same zone. Null where the server knows none of them. A name that send_zone_names does not list, such as POSIX
-- rules, stays as it is.
create or replace function send_timezone(zone text) returns text language plpgsql stable parallel unsafe as $$
declare
    v_name text;
    v_rest text[];
begin
    select n.name into v_name from send_zone_names n where lower(n.written) = lower(zone);
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
