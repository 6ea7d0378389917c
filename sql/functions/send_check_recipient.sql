-- Why nothing can go to a recipient on a channel, as far as their form tells, as a sentence that says what to do; null: it
-- may. The command refuses the same (recipients.py), and more of what only its libraries know: the lengths of a country's
-- numbers, the letters of a domain. What a webhook is sent to, the account's provider says: it may be no URL.
create or replace function send_check_recipient(channel text, recipient text) returns text
language plpgsql immutable as $$
declare
    v_key    text;
    v_quoted text;
begin
    if char_length(recipient) > 2000 then -- the key of a long text takes long
        return format('The recipient has %s characters: use 2000 at the most.', char_length(recipient));
    end if;
    v_key := coalesce(send_normal_recipient(recipient), '');
    if v_key = '' then
        return 'The recipient is missing: say whom to send to.';
    end if;
    v_quoted := quote_literal(case when char_length(recipient) > 60 then left(recipient, 59) || '…' else recipient end);
    case
        when channel like 'linkedin%' then
            if v_key collate "C" ~ (E'^([0-9A-Za-z_%.-]|[^\\u0001-\\u007f])*([A-Za-z\\u00aa\\u00b5\\u00ba\\u00c0-\\u1fff'
                    || E'\\u2c00-\\u2dff\\u3005-\\u3007\\u3021-\\ufdff\\ufe70-\\uffef\\U00010000-\\U0001efff'
                    || E'\\U00020000-\\U0003ffff])([0-9A-Za-z_%.-]|[^\\u0001-\\u007f])*$')
               or v_key collate "C" ~ '^[0-9]+$' and lower(recipient collate "C") like '%linkedin.com%' then
                return null;
            end if;
            return format('%s is no profile of LinkedIn''s: write it as https://www.linkedin.com/in/NAME, or as its id.',
                v_quoted);
        when channel = 'email' then
            if v_key collate "C" ~ ('^[a-z0-9_!#$%&''*+/=?^`{|}~-]+([.][a-z0-9_!#$%&''*+/=?^`{|}~-]+)*@'
                    '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$')
               and char_length(v_key) <= 254 and strpos(v_key, '@') <= 65
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
