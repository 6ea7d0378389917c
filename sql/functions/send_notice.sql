-- Compose the notification about some sends, accounts or campaigns: one or two sentences for people, and a payload for
-- programs, as in Standard Webhooks: {type, data}. It holds names and counts, never recipients or texts.
create or replace function send_notice(event text, workspace text, ids uuid[])
returns table (message text, payload jsonb) language plpgsql stable set timezone = 'UTC'
set jit = off set enable_bitmapscan = off set enable_incremental_sort = off
set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_many   text := case when cardinality(ids) >= 1000 then '1,000 or more'
                          else cardinality(ids)::text end;
    v_sends  text := v_many || case when cardinality(ids) = 1 then ' send' else ' sends' end;
    v_codes  jsonb;
    v_names  text[];
    v_listed text;
    v_data   jsonb := jsonb_build_object('workspace', workspace, 'count', cardinality(ids));
begin
    if event in ('failed', 'uncertain') then
        select jsonb_object_agg(code, n) into v_codes
        from (select coalesce(q.error_code, 'unknown') as code, count(*) as n from send_queue q
              where q.id = any (ids) group by 1) s;
        v_names := array(select distinct c.name from send_queue q join send_campaigns c on c.id = q.campaign_id
                         where q.id = any (ids) order by 1 limit 10);
        v_listed := format('%s; campaign %s', (
            select string_agg(format('%s × %s', n, code), ', ' order by n::int desc, code)
            from (select code, n from jsonb_each_text(v_codes) c (code, n) order by n::int desc, code limit 10) c),
            array_to_string(v_names, ', '));
        v_data := v_data || jsonb_build_object('codes', v_codes, 'campaigns', to_jsonb(v_names),
            'send_ids', to_jsonb(ids[1:10]));
        message := case event
            when 'failed' then format('%s failed for good in the workspace %s (%s). Look at them with `send-queue list '
                '--status failed`.', v_sends, workspace, v_listed)
            else format('%s may have gone out in the workspace %s (%s). Runs query the provider; settle the '
                'rest: `send-queue list --status uncertain`.', v_sends, workspace, v_listed) end;
    elsif event = 'disconnected' then
        select array_agg(a.name order by a.name), jsonb_object_agg(a.name, a.code),
            string_agg(concat(a.name, ' (' || a.code || coalesce(', the secret in ' || a.secret, '') || ')'), ', '
                order by a.name)
        into v_names, v_codes, v_listed
        from (select a.name, split_part(case when a.status = 'disconnected' then a.status_reason
                    else coalesce(a.secret_refused_as, 'client_refused') end, ':', 1) as code,
                  case when a.status = 'active' then a.secret_refused end as secret
              from send_accounts a where a.id = any (ids) order by a.name limit 10) a;
        v_data := v_data || jsonb_build_object('accounts', v_codes);
        message := format('%s disconnected in the workspace %s: %s. %s, then run `send-queue resume '
            'account NAME`.', case when cardinality(ids) = 1 then 'An account was' else v_many || ' accounts were' end,
            workspace, v_listed, case when exists (
                select from send_accounts a where a.id = any (ids) and a.status = 'active')
                then 'Mend the account at the provider, or the secret in the environment' else 'Mend it at the provider' end);
    else
        v_names := array(select c.name from send_campaigns c where c.id = any (ids) order by c.name limit 10);
        v_data := v_data || jsonb_build_object('campaigns', to_jsonb(v_names));
        message := format('%s in the workspace %s: %s. Nothing waits there any more.',
            case when cardinality(ids) = 1 then 'A campaign is finished' else v_many || ' campaigns are finished' end,
            workspace, array_to_string(v_names, ', '));
    end if;
    payload := jsonb_build_object('data', v_data, 'type', case event
        when 'failed' then 'sends.failed' when 'uncertain' then 'sends.uncertain'
        when 'disconnected' then 'accounts.disconnected' else 'campaigns.finished' end);
    return next;
end
$$;
