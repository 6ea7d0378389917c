-- Rows whose lease has run out were left by a dead run, and may have gone out: they are in doubt now, the attempt is
-- finished as uncertain and stays counted, so that a worker that comes back late cannot write over what follows.
-- Where the campaign says `resend`, the row is pending again at once.
-- Returns the rows that were left.
create or replace function send_recover(at timestamptz default null)
returns table (send_id uuid, status text) language plpgsql as $$
#variable_conflict use_column
declare
    v_at   timestamptz := coalesce(send_recover.at, clock_timestamp());
    v_left record;
begin
    for v_left in
        select q.id, c.on_uncertain, c.max_attempts, q.attempts
        from send_queue q join send_campaigns c on c.id = q.campaign_id
        where q.status = 'sending' and q.lease_expires_at <= v_at
        order by q.id for no key update of q skip locked
    loop
        update send_attempts b
        set outcome = 'uncertain', finished_at = v_at, error_code = 'lease_expired',
            error_message = 'The run that sent it did not come back to say what became of it.'
        where b.send_id = v_left.id and b.outcome is null;
        update send_queue q
        set status = case when v_left.on_uncertain = 'resend' and v_left.attempts + 1 < v_left.max_attempts
                          then 'pending' else 'uncertain' end,
            attempts = q.attempts + 1, claimed_by = null, lease_expires_at = null, updated_at = v_at,
            error_code = 'lease_expired',
            error_message = 'The run that sent it did not come back to say what became of it.'
        where q.id = v_left.id
        returning q.id, q.status into send_id, status;
        return next;
    end loop;
end
$$;
