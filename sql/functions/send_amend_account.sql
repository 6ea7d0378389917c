-- Let an account send for the campaigns of these sends, outside their pools; return its id. Call it before locking
-- rows. Raises SQ002 if it does not serve a channel of theirs or one is a post, SQ005 without such an account.
create or replace function send_amend_account(ids uuid[], account text) returns uuid language plpgsql
set jit = off set enable_bitmapscan = off set seq_page_cost = 100 set random_page_cost = 1 as $$
#variable_conflict use_column
declare
    v_place record;
    v_id    uuid;
begin
    for v_place in
        select distinct q.workspace_id, w.name as workspace, q.campaign_id, q.channel
        from unnest(ids) i (id)
        cross join lateral (select * from send_queue q where q.id = i.id limit 1) q
        cross join lateral (select * from send_workspaces w where w.id = q.workspace_id limit 1) w
        order by q.campaign_id, q.channel
    loop
        if v_place.channel = 'post' then
            raise exception 'Posts are for the account''s own profile and do not move: cancel them, and post again '
                'with `send-queue post`.' using errcode = 'SQ002';
        end if;
        v_id := send_find('account', send_amend_account.account, v_place.workspace);
        perform send_ensure_place(v_place.workspace_id, v_place.campaign_id, v_id, v_place.channel);
    end loop;
    return v_id;
end
$$;
