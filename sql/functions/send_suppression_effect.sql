-- Preview send_suppress: {waiting: n, others: [addresses]}. `waiting` counts the pending sends that it skips; `others`
-- are the prospects' further addresses that entries without a channel add.
create or replace function send_suppression_effect(workspace_id uuid, entries jsonb) returns jsonb
language plpgsql stable
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    v_others  text[];
    v_waiting bigint;
begin
    select coalesce(array_agg(distinct a.address), array[]::text[]) into v_others
    from jsonb_to_recordset(entries) e (recipient text, channel text)
    cross join lateral send_other_addresses(send_suppression_effect.workspace_id, e.recipient) a (address)
    where e.channel is null and not exists (
        select from send_suppressions s
        where s.workspace_id = send_suppression_effect.workspace_id and s.recipient = a.address and s.channel is null);
    select count(distinct q.id) into v_waiting
    from (select send_normal_recipient(e.recipient) as key, e.channel
          from jsonb_to_recordset(entries) e (recipient text, channel text)
          union all select o.address, null from unnest(v_others) o (address)) e
    cross join lateral (
        select q.id from send_queue q
        where q.workspace_id = send_suppression_effect.workspace_id and send_normal_recipient(q.recipient) = e.key
          and q.status = 'pending' and (e.channel is null or q.channel = e.channel)) q;
    return jsonb_build_object('waiting', v_waiting, 'others', to_jsonb(v_others));
end
$$;
