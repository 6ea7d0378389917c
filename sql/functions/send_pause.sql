-- Pause or resume one level: kind workspace, account, lane (the account's name, and a channel), campaign, or all (every
-- workspace). Returns the number changed.
--
-- A pause holds from its commit, except for sends already in flight. Resuming a lane also ends a provider's hold on it;
-- resuming an account marks it connected and its secret good, also for all accounts with the same refused secret.
create or replace function send_pause(paused boolean, kind text, name text default null, channel text default null,
    reason text default null, workspace text default null, at timestamptz default null)
returns int language plpgsql as $$
#variable_conflict use_column
declare
    v_at timestamptz := coalesce(send_pause.at, clock_timestamp());
    v_id uuid;
    v_n  int;
begin
    if kind in ('workspace', 'campaign', 'account') then
        v_id := send_find(kind, name, workspace);
    elsif kind = 'lane' then
        v_id := send_find('account', name, workspace);
    end if;
    if kind = 'account' and not paused then -- in the common order: gates, accounts
        perform send_lock_gates();
        perform from send_accounts a where a.id = any (array_append(send_same_secret(v_id), v_id))
        order by a.id for no key update;
    end if;
    case kind
        when 'all' then
            update send_workspaces w
            set paused_at = case when paused then coalesce(w.paused_at, v_at) end,
                pause_reason = case when paused then coalesce(send_pause.reason, w.pause_reason) end
            where paused or w.paused_at is not null;
        when 'workspace' then
            update send_workspaces w
            set paused_at = case when paused then coalesce(w.paused_at, v_at) end,
                pause_reason = case when paused then send_pause.reason end
            where w.id = v_id;
        when 'account' then
            update send_accounts a
            set status = case when paused then 'paused' else 'active' end,
                status_reason = case when paused then send_pause.reason end
            where a.id = v_id;
            get diagnostics v_n = row_count;
            if not paused then
                perform send_end_refusals(send_same_secret(v_id));
            end if;
            return v_n;
        when 'campaign' then
            update send_campaigns c
            set status = case when paused then 'paused' else 'active' end,
                pause_reason = case when paused then send_pause.reason end
            where c.id = v_id;
        when 'lane' then
            update send_lanes l
            set paused_at = case when paused then coalesce(l.paused_at, v_at) end,
                pause_reason = case when paused then send_pause.reason end
            where l.account_id = v_id and l.channel = send_pause.channel;
            get diagnostics v_n = row_count;
            if v_n = 0 then
                raise exception 'The account % has no lane %: see `send-queue lane list`.', quote_literal(name),
                    quote_nullable(send_pause.channel) using errcode = 'SQ005';
            end if;
            if not paused then
                perform send_end_rehearsal(array[v_id]);
                perform send_end_holds(v_id, send_pause.channel, null);
                update send_lanes l set next_at = 'epoch', next_at_reason = null, next_at_detail = null
                where l.account_id = v_id and l.channel = send_pause.channel
                  and l.next_at_reason in ('daily_cap', 'weekly_cap', 'rate_limit'); -- counted anew
            end if;
            return v_n;
    end case;
    get diagnostics v_n = row_count;
    return v_n;
end
$$;
