-- One recipient has one key, however a person is written. Suppressions, dedupe keys, prospects and "was this person
-- written to" compare keys. Python makes the same key (rules/recipients.py), and a provider gets the recipient of the
-- key.
--
-- email     small letters; the domain as the DNS has it (IDNA 2008)
-- phone     digits, with the + where it is given (00 is a +), without the 0 that people dial at home only
-- LinkedIn  of any URL of a profile, and of a word that stands alone: the slug in small letters, or the id as it stands
-- other     as it stands
--
-- Invisible characters count for nothing, and letters of another width are the same. The shape decides and not the
-- channel, so that a suppression for all channels holds on each. Indexes use the function: it never changes, reads no
-- locale, and calls nothing of ours, since Postgres builds an index without our search_path.
create function send_normal_recipient(recipient text) returns text
language plpgsql immutable strict parallel safe as $$
declare
    v_unseen constant text := E'[\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f'
        || E'\\u202a-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff9-\\ufffb\\U0001bca0-\\U0001bca3'
        || E'\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]+';
    v_edge   constant text := E'^[\\u0001-\\u0020\\u007f-\\u00a0\\u1680\\u2028\\u2029]+'
        || E'|[\\u0001-\\u0020\\u007f-\\u00a0\\u1680\\u2028\\u2029]+$';
    -- The countries whose numbers never begin with the 0 that is dialled before them at home.
    v_home   constant text :=
        '^([+](20|27|31|32|33|40|41|43|44|46|49|51|53|54|55|57|58|60|61|63|64|66|84|86|90|91|92|93|94|95|98|211|212|'
        '213|218|231|232|233|234|243|249|251|252|254|255|256|260|261|262|263|264|265|291|353|355|358|359|370|'
        '373|374|377|380|381|382|383|385|386|387|389|421|423|508|590|591|593|594|595|596|686|850|855|856|880|'
        '886|961|962|963|964|966|967|970|971|972|976|977|994|995|996'
        '))0+';
    -- Letters that have a small one: from, to, step (0: one letter), how far it is to the small one.
    v_small  constant int[] := array[
        [192, 214, 1, 32], [216, 222, 1, 32], [256, 302, 2, 1], [308, 310, 2, 1], [313, 317, 2, 1], [321, 327, 2, 1],
        [330, 374, 2, 1], [376, 376, 1, -121], [377, 381, 2, 1], [385, 385, 1, 210], [386, 388, 2, 1],
        [390, 390, 1, 206], [391, 391, 1, 1], [393, 394, 1, 205], [395, 395, 1, 1], [398, 398, 1, 79],
        [399, 399, 1, 202], [400, 400, 1, 203], [401, 401, 1, 1], [403, 403, 1, 205], [404, 404, 1, 207],
        [406, 406, 1, 211], [407, 407, 1, 209], [408, 408, 1, 1], [412, 412, 1, 211], [413, 413, 1, 213],
        [415, 415, 1, 214], [416, 420, 2, 1], [422, 422, 1, 218], [423, 423, 1, 1], [425, 425, 1, 218],
        [428, 428, 1, 1], [430, 430, 1, 218], [431, 431, 1, 1], [433, 434, 1, 217], [435, 437, 2, 1],
        [439, 439, 1, 219], [440, 440, 1, 1], [444, 444, 1, 1], [461, 475, 2, 1], [478, 494, 2, 1], [500, 500, 1, 1],
        [502, 502, 1, -97], [503, 503, 1, -56], [504, 542, 2, 1], [544, 544, 1, -130], [546, 562, 2, 1],
        [570, 570, 1, 10795], [571, 571, 1, 1], [573, 573, 1, -163], [574, 574, 1, 10792], [577, 577, 1, 1],
        [579, 579, 1, -195], [580, 580, 1, 69], [581, 581, 1, 71], [582, 590, 2, 1], [880, 882, 2, 1],
        [886, 886, 1, 1], [895, 895, 1, 116], [902, 902, 1, 38], [904, 906, 1, 37], [908, 908, 1, 64],
        [910, 911, 1, 63], [913, 929, 1, 32], [931, 939, 1, 32], [975, 975, 1, 8], [984, 1006, 2, 1],
        [1015, 1015, 1, 1], [1018, 1018, 1, 1], [1021, 1023, 1, -130], [1024, 1039, 1, 80], [1040, 1071, 1, 32],
        [1120, 1152, 2, 1], [1162, 1214, 2, 1], [1216, 1216, 1, 15], [1217, 1229, 2, 1], [1232, 1326, 2, 1],
        [1329, 1366, 1, 48], [4256, 4293, 1, 7264], [4295, 4295, 1, 7264], [4301, 4301, 1, 7264],
        [7312, 7354, 1, -3008], [7357, 7359, 1, -3008], [7680, 7828, 2, 1], [7838, 7838, 1, -7615],
        [7840, 7934, 2, 1], [7944, 7951, 1, -8], [7960, 7965, 1, -8], [7976, 7983, 1, -8], [7992, 7999, 1, -8],
        [8008, 8013, 1, -8], [8025, 8031, 2, -8], [8040, 8047, 1, -8], [8072, 8079, 1, -8], [8088, 8095, 1, -8],
        [8104, 8111, 1, -8], [8120, 8121, 1, -8], [8122, 8122, 1, -74], [8124, 8124, 1, -9], [8136, 8138, 2, -86],
        [8140, 8140, 1, -9], [8152, 8153, 1, -8], [8154, 8154, 1, -100], [8168, 8169, 1, -8], [8170, 8170, 1, -112],
        [8172, 8172, 1, -7], [8184, 8184, 1, -128], [8186, 8186, 1, -126], [8188, 8188, 1, -9], [8498, 8498, 1, 28],
        [8579, 8579, 1, 1], [11264, 11311, 1, 48], [11360, 11360, 1, 1], [11362, 11362, 1, -10743],
        [11363, 11363, 1, -3814], [11364, 11364, 1, -10727], [11367, 11371, 2, 1], [11373, 11373, 1, -10780],
        [11374, 11374, 1, -10749], [11375, 11375, 1, -10783], [11376, 11376, 1, -10782], [11378, 11378, 1, 1],
        [11381, 11381, 1, 1], [11390, 11391, 1, -10815], [11392, 11490, 2, 1], [11499, 11501, 2, 1],
        [11506, 11506, 1, 1], [12290, 12290, 1, -12244], [42560, 42604, 2, 1], [42624, 42650, 2, 1],
        [42786, 42798, 2, 1], [42802, 42862, 2, 1], [42873, 42875, 2, 1], [42877, 42877, 1, -35332],
        [42878, 42886, 2, 1], [42891, 42891, 1, 1], [42893, 42893, 1, -42280], [42896, 42898, 2, 1],
        [42902, 42920, 2, 1], [42922, 42922, 1, -42308], [42923, 42923, 1, -42319], [42924, 42924, 1, -42315],
        [42925, 42925, 1, -42305], [42926, 42926, 1, -42308], [42928, 42928, 1, -42258], [42929, 42929, 1, -42282],
        [42930, 42930, 1, -42261], [42931, 42931, 1, 928], [42932, 42946, 2, 1], [42948, 42948, 1, -48],
        [42949, 42949, 1, -42307], [42950, 42950, 1, -35384], [42951, 42953, 2, 1], [42960, 42960, 1, 1],
        [42966, 42968, 2, 1], [42997, 42997, 1, 1], [66560, 66599, 1, 40], [66736, 66771, 1, 40],
        [66928, 66938, 1, 39], [66940, 66954, 1, 39], [66956, 66962, 1, 39], [66964, 66965, 1, 39],
        [68736, 68786, 1, 64], [71840, 71871, 1, 32], [93760, 93791, 1, 32], [125184, 125217, 1, 34]];
    v_wide   constant text := E'[^\\u0001-\\u007f]';
    v_text   text := recipient;
    v_before text;
    v_found  text;
    v_folded boolean;
    v_number boolean;
    v_label  text;
    v_domain text;
    v_points int[];
    v_n      int;
    v_delta  int;
    v_bias   int;
    v_done   int;
    v_first  int;
    v_next   int;
    v_q      int;
    v_t      int;
    v_code   text;
begin
    if v_text collate "C" ~ ('^([a-z0-9][a-z0-9._+-]*@[a-z0-9.-]+|[a-z][a-z0-9_.-]*|A[A-Z][A-Za-z]AA[A-Za-z0-9_-]*|'
            '[+]1[0-9]+)$') then
        return v_text; -- as most of them are
    end if;
    for v_round in 1..6 loop
        v_before := v_text;
        if v_text collate "C" ~ v_wide then
            v_text := regexp_replace(normalize(regexp_replace(v_text, v_unseen, '', 'g'), NFKC), v_unseen, '', 'g');
        end if;
        v_text := regexp_replace(v_text collate "C", v_edge, '', 'g');
        v_found := (regexp_match(v_text collate "C", '^(?:(?:https?://)?(?:[a-z0-9-]+[.])*linkedin[.]com(?::[0-9]+)?/+'
            '(?:mwlite/)?(?:in|sales/lead|sales/people|talent/profile)|/?in)/+([^/?#[:space:]]+)', 'i'))[1];
        v_number := v_text collate "C" ~ (E'^(tel:)?[[:space:]+0-9()./\\u2010-\\u2015\\u2212-]*[0-9]'
            || E'[[:space:]0-9()./\\u2010-\\u2015\\u2212-]*$');
        if not v_number and v_text collate "C" ~ E'^([0-9A-Za-z_%.-]|[^\\u0001-\\u007f])+$' then
            v_found := v_text; -- a slug or an id without its URL
        end if;
        if v_text like '%_@_%' and v_text not like '%://%' and v_found is null then
            v_folded := true;
        elsif v_found is not null then
            if v_found like '%!%%' escape '!' then
                begin
                    v_found := convert_from((select string_agg(case when m.part[1] collate "C" ~ '^%[0-9a-fA-F]{2}$'
                            then decode(substr(m.part[1], 2), 'hex') else convert_to(m.part[1], 'UTF8') end,
                            ''::bytea order by m.n)
                        from regexp_matches(v_found collate "C", '%[0-9a-fA-F]{2}|[^%]+|%', 'g')
                            with ordinality m (part, n)), 'UTF8');
                exception when others then
                    null; -- no text: it stays as it is
                end;
            end if;
            v_text := split_part(v_found, ',', 1);
            v_folded := v_text collate "C" !~ '^A[A-Z][A-Za-z]AA';
        elsif v_number then
            v_text := regexp_replace(v_text collate "C", '[^0-9+()]', '', 'g');
            v_text := regexp_replace(v_text collate "C", '^00', '+');
            v_text := regexp_replace(v_text collate "C", '^([+][0-9]+)[(]0[)]', E'\\1');
            v_text := regexp_replace(v_text collate "C", '[()]', '', 'g');
            v_text := regexp_replace(v_text collate "C", v_home, E'\\1');
            v_folded := false;
        else
            v_folded := false;
        end if;
        if v_folded then
            v_text := lower(v_text collate "C");
            if v_text collate "C" ~ v_wide then
                v_text := normalize((
                    select string_agg(coalesce((
                        select chr(ascii(c.letter) + v_small[i][4]) from generate_series(1, array_length(v_small, 1)) i
                        where ascii(c.letter) > 127 and ascii(c.letter) between v_small[i][1] and v_small[i][2]
                          and (ascii(c.letter) - v_small[i][1]) % v_small[i][3] = 0 limit 1), c.letter), ''
                        order by c.n)
                    from regexp_split_to_table(v_text, '') with ordinality c (letter, n)), NFKC);
            end if;
            if v_found is null and v_text collate "C" ~ (v_wide || '[^@]*$') then -- the domain (RFC 3492)
                v_domain := '';
                foreach v_label in array string_to_array(regexp_replace(v_text, '^.*@', ''), '.') loop
                    if v_label collate "C" ~ v_wide then
                        v_points := array(select ascii(l.letter)
                            from regexp_split_to_table(v_label, '') with ordinality l (letter, n) order by l.n);
                        v_code := regexp_replace(v_label collate "C", v_wide, '', 'g');
                        v_first := length(v_code);
                        v_done := v_first;
                        if v_first > 0 then
                            v_code := v_code || '-';
                        end if;
                        v_n := 128;
                        v_delta := 0;
                        v_bias := 72;
                        while v_done < cardinality(v_points) and cardinality(v_points) <= 63 loop
                            v_next := (select min(point) from unnest(v_points) point where point >= v_n);
                            v_delta := v_delta + (v_next - v_n) * (v_done + 1);
                            v_n := v_next;
                            for v_i in 1..cardinality(v_points) loop
                                if v_points[v_i] < v_n then
                                    v_delta := v_delta + 1;
                                elsif v_points[v_i] = v_n then
                                    v_q := v_delta;
                                    for v_k in 1..99 loop
                                        v_t := least(greatest(v_k * 36 - v_bias, 1), 26);
                                        exit when v_q < v_t;
                                        v_code := v_code || substr('abcdefghijklmnopqrstuvwxyz0123456789',
                                            v_t + (v_q - v_t) % (36 - v_t) + 1, 1);
                                        v_q := (v_q - v_t) / (36 - v_t);
                                    end loop;
                                    v_code := v_code || substr('abcdefghijklmnopqrstuvwxyz0123456789', v_q + 1, 1);
                                    v_delta := case when v_done = v_first then v_delta / 700 else v_delta / 2 end;
                                    v_done := v_done + 1;
                                    v_delta := v_delta + v_delta / v_done;
                                    v_bias := 0;
                                    while v_delta > 455 loop
                                        v_delta := v_delta / 35;
                                        v_bias := v_bias + 36;
                                    end loop;
                                    v_bias := v_bias + 36 * v_delta / (v_delta + 38);
                                    v_delta := 0;
                                end if;
                            end loop;
                            v_delta := v_delta + 1;
                            v_n := v_n + 1;
                        end loop;
                        if cardinality(v_points) <= 63 then
                            v_label := 'xn--' || v_code;
                        end if;
                    end if;
                    v_domain := v_domain || '.' || v_label;
                end loop;
                v_text := regexp_replace(v_text, '[^@]*$', '') || substr(v_domain, 2);
            end if;
        end if;
        exit when v_text = v_before;
    end loop;
    return v_text;
end
$$;
