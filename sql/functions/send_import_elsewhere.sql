-- Drop staged lines with known prospects to whom another campaign of the workspace wrote within a time (null: drop
-- none), and count the others that another campaign has too. Returns {contacted, elsewhere, campaigns: {name: n}}.
create or replace function send_import_elsewhere(workspace_id uuid, campaign_id uuid, channel text, within interval,
    at timestamptz)
returns jsonb language plpgsql set jit = off set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    v_contacted int;
begin
    delete from send_import_lines s
    where s.prospect_id is not null and within > interval '0' and send_contacted(send_import_elsewhere.workspace_id,
        send_import_elsewhere.campaign_id, send_import_elsewhere.channel, s.recipient, s.prospect_id, within,
        send_import_elsewhere.at) is not null;
    get diagnostics v_contacted = row_count;
    return (
        select jsonb_build_object('contacted', v_contacted, 'elsewhere', count(distinct f.line), 'campaigns', (
            select coalesce(jsonb_object_agg(n.name, n.lines), '{}') from (
                select c.name, count(distinct g.line) as lines
                from send_import_lines g
                cross join lateral (
                    select distinct q.campaign_id from send_queue q
                    where q.prospect_id = g.prospect_id and q.campaign_id <> send_import_elsewhere.campaign_id
                      and q.status in ('pending', 'sending', 'sent', 'uncertain')) q
                join send_campaigns c on c.id = q.campaign_id
                group by c.id, c.name order by lines desc, c.name limit 10) n))
        from send_import_lines f
        where f.prospect_id is not null and exists (
            select from send_queue q
            where q.prospect_id = f.prospect_id and q.campaign_id <> send_import_elsewhere.campaign_id
              and q.status in ('pending', 'sending', 'sent', 'uncertain')));
end
$$;
