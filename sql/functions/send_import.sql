-- Enqueue the staged lines of a file (send_import_stage), all or none.
--
-- Each line gets its prospect (found by address, or new; empty fields are filled) and its account: the one it names,
-- else the prospect's (send_own_account), else one of the pool, so that all accounts that serve the channel end with
-- the same number of days of work.
--
-- skip_contacted   leave out people to whom another campaign of the workspace wrote within this time; null: the setting
--                  of the campaign or its workspace
-- again            store lines whose sends were cancelled, unless a try may have gone out; the cancelled rows stay,
--                  without their keys
--
-- Returns counts, and lines of the file:
--
-- created, suppressed    stored sends; those of them stored as skipped, since their recipient is suppressed
-- there, differing       lines whose dedupe key exists; those of them with another text or recipient
-- cancelled              those of `there` that `again` would store
-- twice                  [[line, first line]]: lines that repeat an earlier one
-- contacted              number left out by skip_contacted
-- elsewhere, campaigns   created ones whom other campaigns have too; {campaign: n} (send_import_elsewhere)
-- wrong                  [{line, reason}]; with any, nothing is stored
create or replace function send_import(campaign text, channel text, workspace text default null,
    at timestamptz default null, skip_contacted interval default null, again boolean default false)
returns jsonb language plpgsql as $$
#variable_conflict use_column
declare
    v_at        timestamptz := coalesce(send_import.at, clock_timestamp());
    v_found     uuid;
    v_campaign  record;
    v_address   text := case when send_import.channel like 'linkedin%' then 'linkedin_user_id'
                             when send_import.channel = 'email' then 'email'
                             when send_import.channel = 'sms' then 'phone' end;
    v_unfit     text[] := send_not_serving(send_import.channel);
    v_wrong     jsonb;
    v_there     int;
    v_cancelled int;
    v_differing jsonb;
    v_twice     jsonb;
    v_elsewhere jsonb := '{"contacted": 0, "elsewhere": 0, "campaigns": {}}';
    v_created   int;
    v_suppressed int;
    v_open      int;
    v_new       int;
    v_low       float8 := 0;
    v_high      float8;
    v_level     float8;
    v_left      record;
begin
    perform send_check_channel(send_import.channel);
    v_found := send_campaign_named(send_import.campaign, send_import.workspace, null);
    select c.* into v_campaign from send_campaigns c where c.id = v_found;
    if v_campaign.status = 'done' then
        raise exception 'The campaign % is done: resume it with `send-queue resume campaign %`, or use another.',
            quote_literal(v_campaign.name), quote_literal(v_campaign.name) using errcode = 'SQ006';
    end if;

    select jsonb_agg(jsonb_build_object('line', w.line, 'reason', w.reason) order by w.line) into v_wrong
    from (
        select s.line, coalesce(
            send_check_message(send_import.channel, s.recipient, s.message, s.payload, s.scheduled_for, s.expires_at,
                v_at),
            case when s.account is not null and a.id is null then format('There is no account %s: add it with '
                    '`send-queue account add`.', quote_literal(s.account))
                 when a.provider = any (v_unfit) then
                     send_unserved(a.id, send_import.channel) || ': name an account that does.'
                 when s.timezone is not null and z.name is null then format('There is no time zone %s: use a name '
                    'such as Europe/Paris.', quote_literal(s.timezone)) end) as reason
        from send_import_lines s
        left join (select d.timezone, send_timezone(d.timezone) as name
            from (select distinct o.timezone from send_import_lines o where o.timezone is not null) d) z using (timezone)
        left join send_accounts a on a.workspace_id = v_campaign.workspace_id and a.name = s.account) w
    where w.reason is not null;
    if v_wrong is not null then
        return jsonb_build_object('created', 0, 'suppressed', 0, 'there', 0, 'cancelled', 0, 'differing', '[]'::jsonb,
            'twice', '[]'::jsonb, 'wrong', v_wrong) || v_elsewhere;
    end if;

    if again then
        update send_queue q set dedupe_key = null
        from send_import_lines s
        where q.workspace_id = v_campaign.workspace_id and q.dedupe_key = s.dedupe_key and send_may_repeat(q.id);
    end if;

    -- Drop lines that exist in the queue or earlier in the file.
    with known as (
        delete from send_import_lines s using send_queue q
        where q.workspace_id = v_campaign.workspace_id and q.dedupe_key = s.dedupe_key
        returning s.line, (q.message, send_normal_recipient(q.recipient)) is distinct from (s.message, s.key) as differs,
            null::int as first, q.status = 'skipped' and send_may_repeat(q.id) as cancelled
    ), twice as (
        delete from send_import_lines s using (
            select o.ctid as it, o.message <> first_value(o.message) over same as differs,
                   row_number() over same as nth, first_value(o.line) over same as first
            from send_import_lines o window same as (partition by o.dedupe_key order by o.line)) o
        where s.ctid = o.it and o.nth > 1
          and not exists (select from send_queue q
                          where q.workspace_id = v_campaign.workspace_id and q.dedupe_key = s.dedupe_key)
        returning s.line, o.differs, o.first, false
    ), gone as (select * from known union all select * from twice)
    select count(*), coalesce(jsonb_agg(line order by line) filter (where differs), '[]'),
        coalesce(jsonb_agg(array[line, first] order by line) filter (where first is not null), '[]'),
        count(*) filter (where cancelled)
    into v_there, v_differing, v_twice, v_cancelled from gone;

    analyze send_import_lines;
    if v_address is not null then
        -- The prospect: known by the recipient, else by another address of the line, else new.
        update send_import_lines s
        set linkedin_user_id = case when v_address = 'linkedin_user_id' then s.recipient else s.linkedin_user_id end,
            email = case when v_address = 'email' then s.recipient else s.email end,
            phone = case when v_address = 'phone' then s.recipient else s.phone end
        where s.recipient is distinct from case v_address when 'linkedin_user_id' then s.linkedin_user_id
                                                          when 'email' then s.email else s.phone end;
        perform send_import_match_prospects(v_campaign.workspace_id, v_address);
        v_elsewhere := send_import_elsewhere(v_campaign.workspace_id, v_campaign.id, send_import.channel,
            coalesce(send_import.skip_contacted, v_campaign.skip_contacted,
                (select w.skip_contacted from send_workspaces w where w.id = v_campaign.workspace_id)), v_at);
        update send_prospects p
        set name = coalesce(p.name, s.name), first_name = coalesce(p.first_name, s.first_name),
            last_name = coalesce(p.last_name, s.last_name), company = coalesce(p.company, s.company),
            timezone = coalesce(p.timezone, s.timezone), attributes = s.attributes || p.attributes
        from send_import_lines s
        where p.id = s.prospect_id
          and ((p.name, p.first_name, p.last_name, p.company, p.timezone)
               is distinct from (coalesce(p.name, s.name), coalesce(p.first_name, s.first_name),
                   coalesce(p.last_name, s.last_name), coalesce(p.company, s.company), coalesce(p.timezone, s.timezone))
               or not p.attributes @> s.attributes);
        -- One new person may have several lines.
        update send_import_lines s set new_prospect_id = o.new_prospect_id
        from (select distinct on (o.key) o.key, o.new_prospect_id, o.line from send_import_lines o
              order by o.key, o.line) o
        where s.prospect_id is null and o.key = s.key and o.line <> s.line;
    end if;

    -- The account: the line's, else the prospect's.
    update send_import_lines s set account_id = a.id from send_accounts a
    where a.workspace_id = v_campaign.workspace_id and a.name = s.account;
    with known as materialized (
        select k.first, k.accounts, coalesce(o.account_id, o.left_id) as account_id, o.left_id
        from (select distinct p.account_id as first, p.accounts
              from send_import_lines s join send_prospects p on p.id = s.prospect_id
              where s.account_id is null and p.account_id is not null) k
        cross join lateral send_own_account(v_campaign.id, send_import.channel, v_unfit, k.first, k.accounts) o
    ), given as (
        update send_import_lines s set account_id = k.account_id
        from send_prospects p join known k on k.first = p.account_id and k.accounts = p.accounts
        where p.id = s.prospect_id and s.account_id is null
        returning p.id, k.left_id
    )
    select g.left_id, count(distinct g.id)::int as people into v_left
    from given g where g.left_id is not null group by g.left_id order by 2 desc, 1 limit 1;
    if found then
        perform send_refuse_left(v_campaign.id, v_left.left_id, v_left.people);
    end if;

    -- Deal out the rest. load: pending rows; a_day: rows sent in a day. Find the level, in days of work, to fill all
    -- accounts to; then give each its share, in turns.
    select count(*) into v_open from send_import_lines s where s.account_id is null;
    if v_open > 0 then
        create temporary table send_import_pool on commit drop as
        select p.account_id, a.name,
            greatest(coalesce(l.daily_cap, d.daily_cap, 100), 1)::float8 as a_day,
            (coalesce(w.n, 0::numeric) + coalesce(g.n, 0)::numeric)::float8 as load
        from send_campaign_accounts p
        left join (select n.account_id, sum(n.n) as n from send_counts n
                   where n.channel = send_import.channel and n.status = 'pending' group by n.account_id) w using (account_id)
        left join (select s.account_id, count(*) as n from send_import_lines s group by s.account_id) g using (account_id)
        join send_accounts a on a.id = p.account_id
        left join send_lanes l on l.account_id = p.account_id and l.channel = send_import.channel
        left join send_lane_defaults d on d.channel = send_import.channel and d.tier = coalesce(a.tier, 'free')
        where p.campaign_id = v_campaign.id and p.in_pool and a.provider <> all (v_unfit)
          and (a.status = 'active' or not exists (
              select from send_campaign_accounts p2 join send_accounts a2 on a2.id = p2.account_id
              where p2.campaign_id = v_campaign.id and p2.in_pool and a2.status = 'active'
                and a2.provider <> all (v_unfit)));
        if not exists (select from send_import_pool) then
            perform send_refuse_pool(v_campaign.id, send_import.channel);
        end if;
        select max((p.load + v_open::float8) / p.a_day) into v_high from send_import_pool p;
        for i in 1..60 loop
            v_level := (v_low + v_high) / 2::float8;
            if (select sum(greatest(v_level * p.a_day - p.load, 0)) from send_import_pool p) < v_open::float8 then
                v_low := v_level;
            else
                v_high := v_level;
            end if;
        end loop;
        with places as (
            select p.account_id, row_number() over (order by (p.load + k::float8) / p.a_day, p.a_day desc, p.name) as nth
            from send_import_pool p,
                 generate_series(1, greatest(ceil(v_high * p.a_day - p.load), 0)::int + 1) k
        ), lines as (
            select o.line, row_number() over (order by o.again, o.line) as nth
            from (select s.line, s.line > min(s.line) over
                      (partition by coalesce(s.prospect_id, s.new_prospect_id)) as again -- later lines follow the first
                  from send_import_lines s where s.account_id is null) o
        )
        update send_import_lines s set account_id = places.account_id
        from places join lines using (nth) where s.line = lines.line;
        drop table send_import_pool;
        if v_address is not null then -- one account for all lines of a person
            update send_import_lines s set account_id = f.account_id
            from (select distinct on (1) coalesce(o.prospect_id, o.new_prospect_id) as id, o.account_id
                  from send_import_lines o where o.account is null order by 1, o.line) f
            where f.id = coalesce(s.prospect_id, s.new_prospect_id) and s.account is null
              and s.account_id <> f.account_id;
        end if;
    end if;

    perform send_ensure_place(v_campaign.workspace_id, v_campaign.id, used.account_id, send_import.channel)
    from (select distinct s.account_id from send_import_lines s) used;
    update send_prospects p set account_id = coalesce(p.account_id, s.account_id),
        accounts = jsonb_build_object(send_import.channel, s.account_id) || p.accounts
    from send_import_lines s where p.id = s.prospect_id and not p.accounts ? send_import.channel;
    if v_address is not null then
        insert into send_prospects (id, workspace_id, name, first_name, last_name, company, linkedin_user_id, email,
            phone, timezone, attributes, account_id, accounts, created_at)
        select s.new_prospect_id, v_campaign.workspace_id, s.name, s.first_name, s.last_name, s.company,
            s.linkedin_user_id, s.email, s.phone, s.timezone, s.attributes, s.account_id,
            jsonb_build_object(send_import.channel, s.account_id), v_at
        from send_import_lines s where s.prospect_id is null order by s.line
        on conflict do nothing; -- a person's later lines; a prospect added meanwhile
        get diagnostics v_new = row_count;
        if v_new < (select count(*) from send_import_lines s where s.prospect_id is null) then
            perform send_import_match_prospects(v_campaign.workspace_id, v_address);
        else
            update send_import_lines s set prospect_id = s.new_prospect_id where s.prospect_id is null;
        end if;
    end if;

    with stored as (
        insert into send_queue as q (workspace_id, campaign_id, account_id, channel, prospect_id, recipient, subject,
            message, payload, priority, scheduled_for, expires_at, dedupe_key, created_at, updated_at, status,
            error_code, error_message)
        select v_campaign.workspace_id, v_campaign.id, s.account_id, send_import.channel, s.prospect_id, s.recipient,
            s.subject, s.message, s.payload, coalesce(s.priority, 100), coalesce(s.scheduled_for, v_at), s.expires_at,
            s.dedupe_key, v_at, v_at, case when p.id is null then 'pending' else 'skipped' end,
            case when p.id is not null then 'suppressed' end, case when p.id is not null then
                send_suppressed(v_campaign.workspace_id, send_import.channel, s.recipient) end
        from send_import_lines s
        left join lateral (
            select p.id from send_suppressions p
            where p.workspace_id = v_campaign.workspace_id and p.recipient = s.key
              and (p.channel is null or p.channel = send_import.channel) limit 1) p on true
        order by s.line
        on conflict (workspace_id, dedupe_key) where dedupe_key is not null do nothing
        returning q.status
    )
    select count(*), count(*) filter (where status = 'skipped') into v_created, v_suppressed from stored;
    return jsonb_build_object('created', v_created, 'suppressed', v_suppressed, 'differing', v_differing,
        'twice', v_twice, 'cancelled', v_cancelled, 'wrong', '[]'::jsonb,
        'there', v_there + (select count(*) from send_import_lines) - v_created) || v_elsewhere;
end
$$;
