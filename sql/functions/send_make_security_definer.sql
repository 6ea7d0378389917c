-- Make the functions that send_tasks marks security definer, with a search path of our schema alone, and all our other
-- functions (send_ours) security invoker. Correct ones are left alone.
create or replace function send_make_security_definer() returns void language plpgsql as $$
declare
    v_path constant text := format('search_path=%I, pg_temp', current_schema());
    v_function record;
begin
    for v_function in
        select p.oid::regprocedure as name, t.as_owner
        from pg_proc p
        left join (select s.function, bool_or(s.as_owner) as as_owner from send_tasks() s group by s.function) t
            on t.function = p.proname
        where p.oid in (select o.oid from send_ours() o where o.catalog = 'pg_proc')
          and case when t.as_owner then not (p.prosecdef and coalesce(v_path = any (p.proconfig), false))
                   else p.prosecdef end
    loop
        if v_function.as_owner then
            execute format('alter function %s security definer set search_path = %I, pg_temp', v_function.name,
                current_schema());
        else
            execute format('alter function %s security invoker reset search_path', v_function.name);
        end if;
    end loop;
end
$$;
