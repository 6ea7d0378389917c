-- Remove an account's tokens: it sends with its environment's secret, or not at all. Raises SQ005 if it has none.
create or replace function send_token_remove(account text, workspace text default null) returns void
language plpgsql as $$
#variable_conflict use_column
begin
    delete from send_tokens t where t.account_id = send_find('account', send_token_remove.account, workspace);
    if not found then
        raise exception 'The account % has no tokens: see `send-queue tokens list`.', quote_literal(account)
            using errcode = 'SQ005';
    end if;
end
$$;
