-- Add or change an object: kind workspace, account, lane, schedule or campaign. Returns the row as send_list shows it.
--
-- fields  values by column name; a JSON null clears one. "schedule" and "accounts" take names ("accounts" join a
--         campaign's pool, "remove_accounts" leave it). "settings" merge into the present ones, and a null removes one;
--         a campaign's are by account: {account: {name: value}}. A lane is named by its account and the field
--         "channel", and made if missing
-- at      present moment; null: the database's clock
--
-- Raises SQ002 if a value is invalid, SQ005 if the object does not exist, SQ006 if it exists already.
create or replace function send_set(kind text, name text, fields jsonb, adding boolean default false,
    workspace text default null, at timestamptz default null)
returns jsonb language plpgsql as $$
#variable_conflict use_variable
declare
    v_workspace uuid;
    v_id        uuid;
    v_fields    jsonb := fields;
    v_split     record;
    v_refused   boolean;
    v_w send_workspaces; v_s send_schedules; v_a send_accounts; v_l send_lanes; v_c send_campaigns;
begin
    if coalesce(btrim(name), '') = '' then
        raise exception 'The name of the % is missing: give one that is not blank.', kind using errcode = 'SQ002';
    end if;
    if adding and kind in ('account', 'campaign') then
        v_workspace := send_find('workspace', coalesce(workspace, 'default'), null);
    elsif not adding and kind <> 'lane' then
        v_id := send_find(kind, name, workspace);
    end if;
    if fields ? 'schedule' then
        v_fields := v_fields || jsonb_build_object('schedule_id',
            case when fields ->> 'schedule' is not null then send_find('schedule', fields ->> 'schedule', null) end);
    end if;

    if kind in ('schedule', 'account', 'campaign') then
        perform send_lock_gates(); -- before their rows, like an UPDATE by hand
    end if;
    case kind
        when 'workspace' then
            if adding then
                insert into send_workspaces (name) values (name) returning id into v_id;
            end if;
            select * into v_w from send_workspaces w where w.id = v_id for no key update;
            v_w := jsonb_populate_record(v_w, v_fields);
            update send_workspaces w set timezone = v_w.timezone, skip_contacted = v_w.skip_contacted where w.id = v_id;
        when 'schedule' then
            if adding then
                insert into send_schedules (name, timezone, hours) values (name, 'UTC', '{}') returning id into v_id;
            end if;
            select * into v_s from send_schedules s where s.id = v_id for no key update;
            v_s := jsonb_populate_record(v_s, v_fields);
            update send_schedules s
            set timezone = v_s.timezone, hours = v_s.hours, skip_holidays = v_s.skip_holidays,
                holiday_country = v_s.holiday_country, holiday_subdivision = v_s.holiday_subdivision,
                holiday_calendars = v_s.holiday_calendars, closed_on = v_s.closed_on, open_on = v_s.open_on
            where s.id = v_id;
        when 'account' then
            if adding then
                insert into send_accounts (workspace_id, name, provider)
                values (v_workspace, name, v_fields ->> 'provider') returning id into v_id;
            end if;
            select * into v_a from send_accounts a where a.id = v_id for no key update;
            v_refused := v_a.secret_refused is not null and (fields ? 'secret_env' or fields ? 'provider');
            v_a := jsonb_populate_record(v_a, v_fields);
            update send_accounts a
            set provider = v_a.provider, provider_account_id = v_a.provider_account_id, tier = v_a.tier,
                schedule_id = v_a.schedule_id, secret_env = v_a.secret_env,
                settings = jsonb_strip_nulls(a.settings || coalesce(v_fields -> 'settings', '{}'))
            where a.id = v_id;
            if v_refused then -- the new secret may be good
                perform send_end_refusals(array[v_id]);
            end if;
            perform send_make_lane(v_id, c.channel)
            from jsonb_array_elements_text(coalesce(v_fields -> 'channels', '[]')) c (channel);
        when 'lane' then
            v_id := send_find('account', name, workspace);
            perform send_check_channel(coalesce(fields ->> 'channel', ''));
            perform send_make_lane(v_id, fields ->> 'channel');
            select * into v_l from send_lanes l
            where l.account_id = v_id and l.channel = fields ->> 'channel' for no key update;
            v_l := jsonb_populate_record(v_l, v_fields);
            if v_fields ->> 'warm_up_start' is not null then -- a ramp begins today in the cap zone
                v_l.warm_up_began := (coalesce(at, clock_timestamp()) at time zone v_l.cap_timezone)::date;
            end if;
            update send_lanes l
            set daily_cap = v_l.daily_cap, weekly_cap = v_l.weekly_cap, cap_timezone = v_l.cap_timezone,
                min_gap_seconds = v_l.min_gap_seconds, jitter_seconds = v_l.jitter_seconds,
                max_in_flight = v_l.max_in_flight, warm_up_start = v_l.warm_up_start,
                warm_up_step = v_l.warm_up_step, warm_up_began = v_l.warm_up_began
            where l.account_id = v_id and l.channel = v_l.channel;
            select d.* into v_split from send_split_days(coalesce(at, clock_timestamp())) d
            where d.account_id = v_id and d.channel = v_l.channel;
            if found then
                raise notice '% Give it --cap-timezone %.', v_split.said, v_split.timezone using errcode = 'SQ003';
            end if;
        when 'campaign' then
            if adding then
                insert into send_campaigns (workspace_id, name) values (v_workspace, name) returning id into v_id;
                perform send_say_whose(name);
            end if;
            select * into v_c from send_campaigns c where c.id = v_id for no key update;
            v_c := jsonb_populate_record(v_c, v_fields);
            update send_campaigns c
            set schedule_id = v_c.schedule_id, max_attempts = v_c.max_attempts, backoff_seconds = v_c.backoff_seconds,
                on_uncertain = v_c.on_uncertain, follow_up_after = v_c.follow_up_after, status = v_c.status,
                quiet_from = v_c.quiet_from, quiet_until = v_c.quiet_until, skip_contacted = v_c.skip_contacted, country = v_c.country
            where c.id = v_id;
            insert into send_campaign_accounts (workspace_id, campaign_id, account_id)
            select v_c.workspace_id, v_id, send_find('account', n.name,
                (select w.name from send_workspaces w where w.id = v_c.workspace_id))
            from jsonb_array_elements_text(coalesce(v_fields -> 'accounts', '[]')) n (name)
            on conflict on constraint send_campaign_accounts_pkey do update set in_pool = true;
            update send_campaign_accounts p set settings = jsonb_strip_nulls(p.settings || n.settings)
            from jsonb_each(coalesce(v_fields -> 'settings', '{}')) n (name, settings)
            where p.campaign_id = v_id and p.account_id = send_find('account', n.name,
                (select w.name from send_workspaces w where w.id = v_c.workspace_id));
            update send_campaign_accounts p set in_pool = false
            where p.campaign_id = v_id and p.account_id in (
                select send_find('account', n.name, (select w.name from send_workspaces w where w.id = v_c.workspace_id))
                from jsonb_array_elements_text(coalesce(v_fields -> 'remove_accounts', '[]')) n (name));
    end case;
    return (select l from send_list(kind, v_id, v_l.channel) l);
exception when unique_violation then
    if sqlerrm like '%provider_account_is_listed_once%' then
        raise exception 'Another account has the provider account id %: use that one, since two rows would give one seat '
            'its caps twice.', quote_nullable(fields ->> 'provider_account_id') using errcode = 'SQ006';
    end if;
    raise exception 'The % % is there already: change it with `send-queue % set`.', kind, quote_literal(name), kind
        using errcode = 'SQ006';
end
$$;
