-- Return the accounts of a workspace that send nothing until a person acts: those disconnected, and for each secret
-- that its provider refuses, the account refused first, since one remedy serves all that share the secret; likewise one
-- for each provider that refuses the app's own secret, without which no token is renewed. Accounts of the campaign
-- `without` are left out.
create or replace function send_cut_off(workspace_id uuid, without uuid) returns uuid[] language sql stable as $$
    select array(
        select a.id from send_accounts a
        where a.id = any (array_cat(array_cat(
            array(select d.id from send_accounts d
                  where d.workspace_id = send_cut_off.workspace_id and d.status = 'disconnected'),
            array(select distinct on (s.provider, s.secret_refused) s.id from send_accounts s
                  where s.workspace_id = send_cut_off.workspace_id and s.secret_refused is not null
                    and s.status = 'active'
                  order by s.provider, s.secret_refused, s.secret_refused_at, s.id)),
            array(select distinct on (r.provider) r.id from send_tokens t join send_accounts r on r.id = t.account_id
                  where r.workspace_id = send_cut_off.workspace_id and r.status = 'active'
                    and t.error_code = 'client_refused'
                  order by r.provider, r.id)))
          and not exists (select from send_campaign_accounts p
                          where p.campaign_id = send_cut_off.without and p.account_id = a.id))
$$;
