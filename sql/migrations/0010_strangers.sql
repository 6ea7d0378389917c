-- Only the owner and the roles that `migrate --grant-…` named get in (send_close). Which were named is remembered here
-- and not read from the rights that roles have: a server's default privileges give those to anybody.
create table send_grants (
    role         text not null,
    role_oid     oid not null, -- so that a renamed role is found again
    task         text not null constraint task_is_known check (task in ('work', 'enqueue', 'read')),
    -- Null: all. A workspace that a grant is bound to is not deleted: its role would see the others then.
    workspace_id uuid constraint grant_of_a_workspace references send_workspaces,
    granted_at   timestamptz not null default now(),
    constraint role_has_a_task_once primary key (role, task),
    constraint only_enqueue_is_bound_to_a_workspace check (workspace_id is null or task = 'enqueue')
);

-- Roles that were granted a task before this table was there, by what nobody has otherwise; without those that default
-- privileges let in.
insert into send_grants (role, role_oid, task)
select r.rolname, r.oid, granted.task
from (
    select x.grantee, 'work' as task
    from pg_class c join pg_attribute t on t.attrelid = c.oid cross join lateral aclexplode(t.attacl) x
    where c.relnamespace = quote_ident(current_schema())::regnamespace and c.relname = 'send_queue'
      and t.attname = 'lease_expires_at' and x.privilege_type = 'UPDATE'
    union
    select x.grantee, 'enqueue' from pg_proc p cross join lateral aclexplode(p.proacl) x
    where p.pronamespace = quote_ident(current_schema())::regnamespace and p.proname = 'send_enqueue' and x.grantee <> p.proowner
    union
    select x.grantee, 'read' from pg_class c cross join lateral aclexplode(c.relacl) x
    where c.relnamespace = quote_ident(current_schema())::regnamespace and c.relname = 'send_failures'
      and x.privilege_type = 'SELECT' and x.grantee <> c.relowner) granted
join pg_roles r on r.oid = granted.grantee
where not exists (select from pg_default_acl d cross join lateral aclexplode(d.defaclacl) x
                  where x.grantee = granted.grantee);

-- A blank dedupe key is none (send_on_blank_key).
update send_queue set dedupe_key = null where dedupe_key !~ '[^[:space:]]';
