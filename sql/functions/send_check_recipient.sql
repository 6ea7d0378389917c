-- Return the fault in the form of a recipient on a channel, and its remedy, as one sentence; null: none. The command
-- (recipients.py) also checks with its libraries the lengths of a country's numbers and the letters of a domain. A
-- webhook's recipient is for its account's provider to judge: it may be no URL.
create or replace function send_check_recipient(channel text, recipient text) returns text
language plpgsql immutable as $$
declare
    v_key    text;
    v_quoted text;
    v_plain  text := '';
    -- The same as in send_normal_recipient.
    v_unseen constant text := E'[\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f'
        || E'\\u202a-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff9-\\ufffb\\U0001bca0-\\U0001bca3'
        || E'\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]+';
    v_edge   constant text := E'^[\\u0001-\\u0020\\u007f-\\u00a0\\u1680\\u2028\\u2029]+'
        || E'|[\\u0001-\\u0020\\u007f-\\u00a0\\u1680\\u2028\\u2029]+$';
begin
    if char_length(recipient) > 2000 then -- normalizing a long text is slow
        return format('The recipient has %s characters: use 2000 at the most.', char_length(recipient));
    end if;
    v_key := coalesce(send_normal_recipient(recipient), '');
    if v_key = '' then
        return 'The recipient is missing: say whom to send to.';
    end if;
    v_quoted := quote_literal(case when char_length(recipient) > 60 then left(recipient, 59) || '…' else recipient end);
    case
        when channel like 'linkedin%' then
            if lower(v_key collate "C") = any (array['null', 'none', 'nil', 'nan', 'undefined', 'unknown', 'unavailable',
                    'n.a.', 'n.a', 'na', 'n-a', 'true', 'false', 'yes', 'no', 'tbd', 'me']) then
                return format('%s stands for nobody, as programs and spreadsheets write it: give the profile''s URL or its '
                    'id.', v_quoted);
            end if;
            if v_key <> recipient then
                v_plain := regexp_replace(normalize(regexp_replace(recipient, v_unseen, '', 'g'), NFKC) collate "C",
                    v_unseen, '', 'g');
                v_plain := regexp_replace(v_plain collate "C", v_edge, '', 'g');
            end if;
            if v_plain collate "C" ~ E'[\\u0009-\\u000d\\u0020\\u1680\\u2028\\u2029]|,$' then
                null; -- two recipients, or the rest of a list
            elsif v_key collate "C" ~ (E'^([0-9A-Za-z_%.-]|[^\\u0001-\\u007f])*([A-Za-z\\u00aa\\u00b5\\u00ba\\u00c0-\\u1fff'
                    || E'\\u2c00-\\u2dff\\u3005-\\u3007\\u3021-\\ufdff\\ufe70-\\uffef\\U00010000-\\U0001efff'
                    || E'\\U00020000-\\U0003ffff])([0-9A-Za-z_%.-]|[^\\u0001-\\u007f])*$')
               or v_key collate "C" ~ '^[0-9]+$' and lower(recipient collate "C") like '%linkedin.com%' then
                return null;
            end if;
            return format('%s is no profile of LinkedIn''s: write it as https://www.linkedin.com/in/NAME, or as its id.',
                v_quoted);
        when channel = 'email' then
            if v_key collate "C" ~ ('^[a-z0-9_!#$%&''*+/=?^`{|}~-]+([.][a-z0-9_!#$%&''*+/=?^`{|}~-]+)*@'
                    '([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+([a-z]+|xn--[a-z0-9-]*[a-z0-9])$')
               and char_length(v_key) <= 254 and strpos(v_key, '@') <= 65
               -- A label has 63 characters at most; {0,61} in the pattern above would cost 10 µs an address.
               and (char_length(v_key) <= 64 or v_key collate "C" !~ '[a-z0-9-]{64}[a-z0-9.-]*$')
               and (v_key = recipient or normalize(recipient, NFKC) collate "C"
                    !~ E'[\\u2190-\\u2bff\\U0001f000-\\U0001faff]') then
                return null;
            end if;
            return format('%s is not a mail address: write it as ada@example.com.', v_quoted);
        when channel = 'sms' then
            if v_key collate "C" ~ '^[+][1-9][0-9]{6,14}$' then
                return null;
            elsif v_key collate "C" ~ '^[0-9]+$' then
                return format('The phone number %s does not say its country: begin it with + and the country''s code, as '
                    'in +14155552671.', v_quoted);
            end if;
            return format('%s is not a phone number: write it as +14155552671.', v_quoted);
        else
            return null;
    end case;
end
$$;
