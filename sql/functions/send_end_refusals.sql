-- Treat the refused secrets of accounts as good again, and end the holds that the refusals caused; other holds stay.
-- Locks accounts before lanes, as everywhere.
create or replace function send_end_refusals(account_ids uuid[]) returns void language plpgsql as $$
#variable_conflict use_column
declare
    v_account uuid;
    v_code    text;
begin
    perform from send_accounts a where a.id = any (account_ids) order by a.id for no key update;
    perform send_end_rehearsal(account_ids); -- first: a later undo would restore the holds ended here
    for v_account, v_code in
        select a.id, a.secret_refused_as from send_accounts a
        where a.id = any (account_ids) and a.secret_refused is not null order by a.id
    loop
        perform send_end_holds(v_account, null, v_code);
    end loop;
    update send_accounts a set secret_refused = null, secret_refused_as = null, secret_refused_at = null
    where a.id = any (account_ids) and a.secret_refused is not null;
end
$$;
