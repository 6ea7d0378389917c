-- Why a campaign is not to write to somebody, as a sentence: another campaign of the workspace has, on whatever channel, or
-- may have, within a time before `at`. Null: none has, or the time is null. Whose prospect is another but whose address is
-- the same is the same person.
create or replace function send_contacted(workspace_id uuid, campaign_id uuid, channel text, recipient text,
    prospect_id uuid, within interval, at timestamptz)
returns text language plpgsql stable set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    v_key    text;
    v_last   record;
    v_people uuid[];
begin
    if within is null or within <= interval '0' then
        return null;
    end if;
    v_key := send_normal_recipient(recipient);
    v_people := array(
        select send_contacted.prospect_id where send_contacted.prospect_id is not null
        union select p.id from send_prospects p
        where p.workspace_id = send_contacted.workspace_id and p.linkedin_user_id is not null
          and send_contacted.channel like 'linkedin%' and send_normal_recipient(p.linkedin_user_id) = v_key
        union select p.id from send_prospects p
        where p.workspace_id = send_contacted.workspace_id and p.email is not null
          and send_contacted.channel = 'email' and send_normal_recipient(p.email) = v_key
        union select p.id from send_prospects p
        where p.workspace_id = send_contacted.workspace_id and p.phone is not null
          and send_contacted.channel = 'sms' and send_normal_recipient(p.phone) = v_key);
    select q.campaign_id, q.moment into v_last
    from unnest(v_people) person (id)
    cross join lateral (
        select o.campaign_id, coalesce(o.sent_at, o.updated_at) as moment from send_queue o
        where o.prospect_id = person.id and o.status in ('sent', 'sending', 'uncertain')
          and o.workspace_id = send_contacted.workspace_id and o.campaign_id <> send_contacted.campaign_id
        order by coalesce(o.sent_at, o.updated_at) desc limit 1) q
    order by q.moment desc limit 1;
    if v_last.moment is null or v_last.moment <= send_contacted.at - within then
        return null;
    end if;
    return (select format('The campaign %s wrote to them on %s: nothing else goes to them within %s.', c.name,
                to_char(v_last.moment at time zone 'UTC', 'YYYY-MM-DD'), justify_hours(within))
            from send_campaigns c where c.id = v_last.campaign_id);
end
$$;
