-- Zones have one name each, and no row is lost on a server that knows fewer of them.
--
-- The time zone database renames zones, and keeps the old names as links. Not every server has those: Debian 13, and the
-- images made of it, leave them out. Here are all old names with those that took their place, and each of today's names
-- as its own, since the server reads names in any case and Python does not. From the files tzdata.zi (its links) and
-- zone.tab (the names in use) of the time zone database 2026f, which is in the public domain. Where it now links a place
-- to one of another country, the place keeps its own name, as in its file "backward". Abbreviations (EST, CET) are no
-- zones.
create table send_zone_names (
    written text primary key,
    name    text not null
);
create unique index zone_name_is_read_in_any_case on send_zone_names (lower(written));
create index zone_names_by_name on send_zone_names (name);
insert into send_zone_names (written, name)
select z.old, z.words[1] from (
    select o.old, w.words from unnest(string_to_array(
        'Africa/Asmara Africa/Asmera, Africa/Bamako Africa/Timbuktu, Africa/Cairo Egypt, Africa/Tripoli Libya, '
        'America/Adak America/Atka US/Aleutian, America/Anchorage US/Alaska, '
        'America/Argentina/Buenos_Aires America/Buenos_Aires, '
        'America/Argentina/Catamarca America/Argentina/ComodRivadavia America/Catamarca, '
        'America/Argentina/Cordoba America/Cordoba America/Rosario, America/Argentina/Jujuy America/Jujuy, '
        'America/Argentina/Mendoza America/Mendoza, America/Atikokan America/Coral_Harbour, '
        'America/Chicago US/Central, America/Denver America/Shiprock Navajo US/Mountain, '
        'America/Detroit US/Michigan, America/Edmonton America/Yellowknife Canada/Mountain, '
        'America/Halifax Canada/Atlantic, America/Havana Cuba, '
        'America/Indiana/Indianapolis America/Fort_Wayne America/Indianapolis US/East-Indiana, '
        'America/Indiana/Knox America/Knox_IN US/Indiana-Starke, America/Iqaluit America/Pangnirtung, '
        'America/Jamaica Jamaica, America/Kentucky/Louisville America/Louisville, America/Los_Angeles US/Pacific, '
        'America/Manaus Brazil/West, America/Mazatlan Mexico/BajaSur, America/Mexico_City Mexico/General, '
        'America/New_York US/Eastern, America/Noronha Brazil/DeNoronha, America/Nuuk America/Godthab, '
        'America/Phoenix US/Arizona, America/Regina Canada/Saskatchewan, '
        'America/Rio_Branco America/Porto_Acre Brazil/Acre, America/Santiago Chile/Continental, '
        'America/Sao_Paulo Brazil/East, America/St_Johns Canada/Newfoundland, America/St_Thomas America/Virgin, '
        'America/Tijuana America/Ensenada America/Santa_Isabel Mexico/BajaNorte, '
        'America/Toronto America/Montreal America/Nipigon America/Thunder_Bay Canada/Eastern, '
        'America/Vancouver Canada/Pacific, America/Whitehorse Canada/Yukon, '
        'America/Winnipeg America/Rainy_River Canada/Central, Antarctica/McMurdo Antarctica/South_Pole, '
        'Asia/Ashgabat Asia/Ashkhabad, Asia/Dhaka Asia/Dacca, Asia/Ho_Chi_Minh Asia/Saigon, '
        'Asia/Hong_Kong Hongkong, Asia/Jerusalem Asia/Tel_Aviv Israel, Asia/Kathmandu Asia/Katmandu, '
        'Asia/Kolkata Asia/Calcutta, Asia/Macau Asia/Macao, Asia/Makassar Asia/Ujung_Pandang, '
        'Asia/Nicosia Europe/Nicosia, Asia/Seoul ROK, Asia/Shanghai Asia/Chongqing Asia/Chungking Asia/Harbin PRC, '
        'Asia/Singapore Singapore, Asia/Taipei ROC, Asia/Tehran Iran, Asia/Thimphu Asia/Thimbu, Asia/Tokyo Japan, '
        'Asia/Ulaanbaatar Asia/Choibalsan Asia/Ulan_Bator, Asia/Urumqi Asia/Kashgar, Asia/Yangon Asia/Rangoon, '
        'Atlantic/Faroe Atlantic/Faeroe, Atlantic/Reykjavik Iceland, Australia/Adelaide Australia/South, '
        'Australia/Brisbane Australia/Queensland, Australia/Broken_Hill Australia/Yancowinna, '
        'Australia/Darwin Australia/North, Australia/Hobart Australia/Currie Australia/Tasmania, '
        'Australia/Lord_Howe Australia/LHI, Australia/Melbourne Australia/Victoria, '
        'Australia/Perth Australia/West, Australia/Sydney Australia/ACT Australia/Canberra Australia/NSW, '
        'Etc/GMT Etc/GMT+0 Etc/GMT-0 Etc/GMT0 Etc/Greenwich GMT+0 GMT-0 GMT0 Greenwich, '
        'Etc/UTC Etc/UCT Etc/Universal Etc/Zulu UCT Universal Zulu, Europe/Chisinau Europe/Tiraspol, '
        'Europe/Dublin Eire, Europe/Istanbul Asia/Istanbul Turkey, '
        'Europe/Kyiv Europe/Kiev Europe/Uzhgorod Europe/Zaporozhye, Europe/Lisbon Portugal, '
        'Europe/London Europe/Belfast GB GB-Eire, Europe/Moscow W-SU, Europe/Oslo Atlantic/Jan_Mayen, '
        'Europe/Warsaw Poland, Pacific/Auckland NZ, Pacific/Chatham NZ-CHAT, '
        'Pacific/Chuuk Pacific/Truk Pacific/Yap, Pacific/Easter Chile/EasterIsland, '
        'Pacific/Honolulu Pacific/Johnston US/Hawaii, Pacific/Kanton Pacific/Enderbury, '
        'Pacific/Kwajalein Kwajalein, Pacific/Pago_Pago Pacific/Samoa US/Samoa, Pacific/Pohnpei Pacific/Ponape',
        ', ')) line,
        string_to_array(line, ' ') w (words), unnest(w.words[2:]) o (old)) z
union all
select n, n from unnest(string_to_array(
    'Africa/Abidjan Africa/Accra Africa/Addis_Ababa Africa/Algiers Africa/Asmara Africa/Bamako Africa/Bangui '
    'Africa/Banjul Africa/Bissau Africa/Blantyre Africa/Brazzaville Africa/Bujumbura Africa/Cairo '
    'Africa/Casablanca Africa/Ceuta Africa/Conakry Africa/Dakar Africa/Dar_es_Salaam Africa/Djibouti '
    'Africa/Douala Africa/El_Aaiun Africa/Freetown Africa/Gaborone Africa/Harare Africa/Johannesburg '
    'Africa/Juba Africa/Kampala Africa/Khartoum Africa/Kigali Africa/Kinshasa Africa/Lagos Africa/Libreville '
    'Africa/Lome Africa/Luanda Africa/Lubumbashi Africa/Lusaka Africa/Malabo Africa/Maputo Africa/Maseru '
    'Africa/Mbabane Africa/Mogadishu Africa/Monrovia Africa/Nairobi Africa/Ndjamena Africa/Niamey '
    'Africa/Nouakchott Africa/Ouagadougou Africa/Porto-Novo Africa/Sao_Tome Africa/Tripoli Africa/Tunis '
    'Africa/Windhoek America/Adak America/Anchorage America/Anguilla America/Antigua America/Araguaina '
    'America/Argentina/Buenos_Aires America/Argentina/Catamarca America/Argentina/Cordoba '
    'America/Argentina/Jujuy America/Argentina/La_Rioja America/Argentina/Mendoza '
    'America/Argentina/Rio_Gallegos America/Argentina/Salta America/Argentina/San_Juan '
    'America/Argentina/San_Luis America/Argentina/Tucuman America/Argentina/Ushuaia America/Aruba '
    'America/Asuncion America/Atikokan America/Bahia America/Bahia_Banderas America/Barbados America/Belem '
    'America/Belize America/Blanc-Sablon America/Boa_Vista America/Bogota America/Boise America/Cambridge_Bay '
    'America/Campo_Grande America/Cancun America/Caracas America/Cayenne America/Cayman America/Chicago '
    'America/Chihuahua America/Ciudad_Juarez America/Costa_Rica America/Coyhaique America/Creston '
    'America/Cuiaba America/Curacao America/Danmarkshavn America/Dawson America/Dawson_Creek America/Denver '
    'America/Detroit America/Dominica America/Edmonton America/Eirunepe America/El_Salvador '
    'America/Fort_Nelson America/Fortaleza America/Glace_Bay America/Goose_Bay America/Grand_Turk '
    'America/Grenada America/Guadeloupe America/Guatemala America/Guayaquil America/Guyana America/Halifax '
    'America/Havana America/Hermosillo America/Indiana/Indianapolis America/Indiana/Knox '
    'America/Indiana/Marengo America/Indiana/Petersburg America/Indiana/Tell_City America/Indiana/Vevay '
    'America/Indiana/Vincennes America/Indiana/Winamac America/Inuvik America/Iqaluit America/Jamaica '
    'America/Juneau America/Kentucky/Louisville America/Kentucky/Monticello America/Kralendijk America/La_Paz '
    'America/Lima America/Los_Angeles America/Lower_Princes America/Maceio America/Managua America/Manaus '
    'America/Marigot America/Martinique America/Matamoros America/Mazatlan America/Menominee America/Merida '
    'America/Metlakatla America/Mexico_City America/Miquelon America/Moncton America/Monterrey '
    'America/Montevideo America/Montserrat America/Nassau America/New_York America/Nome America/Noronha '
    'America/North_Dakota/Beulah America/North_Dakota/Center America/North_Dakota/New_Salem America/Nuuk '
    'America/Ojinaga America/Panama America/Paramaribo America/Phoenix America/Port-au-Prince '
    'America/Port_of_Spain America/Porto_Velho America/Puerto_Rico America/Punta_Arenas America/Rankin_Inlet '
    'America/Recife America/Regina America/Resolute America/Rio_Branco America/Santarem America/Santiago '
    'America/Santo_Domingo America/Sao_Paulo America/Scoresbysund America/Sitka America/St_Barthelemy '
    'America/St_Johns America/St_Kitts America/St_Lucia America/St_Thomas America/St_Vincent '
    'America/Swift_Current America/Tegucigalpa America/Thule America/Tijuana America/Toronto America/Tortola '
    'America/Vancouver America/Whitehorse America/Winnipeg America/Yakutat Antarctica/Casey Antarctica/Davis '
    'Antarctica/DumontDUrville Antarctica/Macquarie Antarctica/Mawson Antarctica/McMurdo Antarctica/Palmer '
    'Antarctica/Rothera Antarctica/Syowa Antarctica/Troll Antarctica/Vostok Arctic/Longyearbyen Asia/Aden '
    'Asia/Almaty Asia/Amman Asia/Anadyr Asia/Aqtau Asia/Aqtobe Asia/Ashgabat Asia/Atyrau Asia/Baghdad '
    'Asia/Bahrain Asia/Baku Asia/Bangkok Asia/Barnaul Asia/Beirut Asia/Bishkek Asia/Brunei Asia/Chita '
    'Asia/Colombo Asia/Damascus Asia/Dhaka Asia/Dili Asia/Dubai Asia/Dushanbe Asia/Famagusta Asia/Gaza '
    'Asia/Hebron Asia/Ho_Chi_Minh Asia/Hong_Kong Asia/Hovd Asia/Irkutsk Asia/Jakarta Asia/Jayapura '
    'Asia/Jerusalem Asia/Kabul Asia/Kamchatka Asia/Karachi Asia/Kathmandu Asia/Khandyga Asia/Kolkata '
    'Asia/Krasnoyarsk Asia/Kuala_Lumpur Asia/Kuching Asia/Kuwait Asia/Macau Asia/Magadan Asia/Makassar '
    'Asia/Manila Asia/Muscat Asia/Nicosia Asia/Novokuznetsk Asia/Novosibirsk Asia/Omsk Asia/Oral '
    'Asia/Phnom_Penh Asia/Pontianak Asia/Pyongyang Asia/Qatar Asia/Qostanay Asia/Qyzylorda Asia/Riyadh '
    'Asia/Sakhalin Asia/Samarkand Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Srednekolymsk Asia/Taipei '
    'Asia/Tashkent Asia/Tbilisi Asia/Tehran Asia/Thimphu Asia/Tokyo Asia/Tomsk Asia/Ulaanbaatar Asia/Urumqi '
    'Asia/Ust-Nera Asia/Vientiane Asia/Vladivostok Asia/Yakutsk Asia/Yangon Asia/Yekaterinburg Asia/Yerevan '
    'Atlantic/Azores Atlantic/Bermuda Atlantic/Canary Atlantic/Cape_Verde Atlantic/Faroe Atlantic/Madeira '
    'Atlantic/Reykjavik Atlantic/South_Georgia Atlantic/St_Helena Atlantic/Stanley Australia/Adelaide '
    'Australia/Brisbane Australia/Broken_Hill Australia/Darwin Australia/Eucla Australia/Hobart '
    'Australia/Lindeman Australia/Lord_Howe Australia/Melbourne Australia/Perth Australia/Sydney Etc/GMT '
    'Etc/GMT+1 Etc/GMT+10 Etc/GMT+11 Etc/GMT+12 Etc/GMT+2 Etc/GMT+3 Etc/GMT+4 Etc/GMT+5 Etc/GMT+6 Etc/GMT+7 '
    'Etc/GMT+8 Etc/GMT+9 Etc/GMT-1 Etc/GMT-10 Etc/GMT-11 Etc/GMT-12 Etc/GMT-13 Etc/GMT-14 Etc/GMT-2 Etc/GMT-3 '
    'Etc/GMT-4 Etc/GMT-5 Etc/GMT-6 Etc/GMT-7 Etc/GMT-8 Etc/GMT-9 Etc/UTC Europe/Amsterdam Europe/Andorra '
    'Europe/Astrakhan Europe/Athens Europe/Belgrade Europe/Berlin Europe/Bratislava Europe/Brussels '
    'Europe/Bucharest Europe/Budapest Europe/Busingen Europe/Chisinau Europe/Copenhagen Europe/Dublin '
    'Europe/Gibraltar Europe/Guernsey Europe/Helsinki Europe/Isle_of_Man Europe/Istanbul Europe/Jersey '
    'Europe/Kaliningrad Europe/Kirov Europe/Kyiv Europe/Lisbon Europe/Ljubljana Europe/London '
    'Europe/Luxembourg Europe/Madrid Europe/Malta Europe/Mariehamn Europe/Minsk Europe/Monaco Europe/Moscow '
    'Europe/Oslo Europe/Paris Europe/Podgorica Europe/Prague Europe/Riga Europe/Rome Europe/Samara '
    'Europe/San_Marino Europe/Sarajevo Europe/Saratov Europe/Simferopol Europe/Skopje Europe/Sofia '
    'Europe/Stockholm Europe/Tallinn Europe/Tirane Europe/Ulyanovsk Europe/Vaduz Europe/Vatican Europe/Vienna '
    'Europe/Vilnius Europe/Volgograd Europe/Warsaw Europe/Zagreb Europe/Zurich GMT Indian/Antananarivo '
    'Indian/Chagos Indian/Christmas Indian/Cocos Indian/Comoro Indian/Kerguelen Indian/Mahe Indian/Maldives '
    'Indian/Mauritius Indian/Mayotte Indian/Reunion Pacific/Apia Pacific/Auckland Pacific/Bougainville '
    'Pacific/Chatham Pacific/Chuuk Pacific/Easter Pacific/Efate Pacific/Fakaofo Pacific/Fiji Pacific/Funafuti '
    'Pacific/Galapagos Pacific/Gambier Pacific/Guadalcanal Pacific/Guam Pacific/Honolulu Pacific/Kanton '
    'Pacific/Kiritimati Pacific/Kosrae Pacific/Kwajalein Pacific/Majuro Pacific/Marquesas Pacific/Midway '
    'Pacific/Nauru Pacific/Niue Pacific/Norfolk Pacific/Noumea Pacific/Pago_Pago Pacific/Palau '
    'Pacific/Pitcairn Pacific/Pohnpei Pacific/Port_Moresby Pacific/Rarotonga Pacific/Saipan Pacific/Tahiti '
    'Pacific/Tarawa Pacific/Tongatapu Pacific/Wake Pacific/Wallis UTC',
    ' ')) n;

-- A restore evaluates each CHECK anew, with the zones of the new server, and would refuse rows there. So triggers look
-- at new rows instead (send_on_zone_change), and each use of a zone bears one that the server does not know.
alter table send_workspaces drop constraint timezone_is_known;
alter table send_schedules drop constraint timezone_is_known;
alter table send_prospects drop constraint timezone_is_known;
alter table send_lanes drop constraint cap_timezone_is_known, drop constraint next_at_reason_is_known,
    add constraint next_at_reason_is_known check (next_at_reason in
        ('daily_cap', 'weekly_cap', 'rate_limit', 'min_gap', 'provider_hold', 'cap_timezone'));
-- Each claim asks whether there are any.
create index lanes_of_unknown_zones on send_lanes (account_id, channel) where next_at_reason = 'cap_timezone';
-- It begins a subtransaction, which a parallel query may not.
alter function send_is_timezone(text) stable parallel unsafe;

update send_workspaces w set timezone = n.name from send_zone_names n
where lower(n.written) = lower(w.timezone) and n.name <> w.timezone and send_is_timezone(n.name);
update send_schedules s set timezone = n.name from send_zone_names n
where lower(n.written) = lower(s.timezone) and n.name <> s.timezone and send_is_timezone(n.name);
update send_lanes l set cap_timezone = n.name from send_zone_names n
where lower(n.written) = lower(l.cap_timezone) and n.name <> l.cap_timezone and send_is_timezone(n.name);
update send_prospects p set timezone = n.name from send_zone_names n
where lower(n.written) = lower(p.timezone) and n.name <> p.timezone and send_is_timezone(n.name);

-- Where a phone number lives: zones that 0008 left out, since the server did not know them, are back under the names
-- that it knows, or today's where it knows none. Rows that an operator has changed stay as they are.
with meant as (
    select p.prefix, string_to_array(v.timezones, ',') as zones
    from (values
        ('Africa/Asmera', '291'),
        ('America/Buenos_Aires', '54'),
        ('America/Godthab', '2991 2992 2993 2994 2995 2996 2998 2999'),
        ('America/Godthab,America/Thule', '299'),
        ('Asia/Calcutta', '91'),
        ('Asia/Choibalsan,Asia/Hovd', '976'),
        ('Asia/Katmandu', '977'),
        ('Asia/Rangoon', '95'),
        ('Atlantic/Faeroe', '298'),
        ('Europe/Kyiv', '380'),
        ('Pacific/Enderbury,Pacific/Kiritimati,Pacific/Tarawa', '686'),
        ('Pacific/Kosrae,Pacific/Truk', '691'),
        ('Pacific/Truk', '6913')
    ) v (timezones, prefixes), unnest(string_to_array(v.prefixes, ' ')) p (prefix)
), known as (
    select m.prefix, m.zones, array_agg(coalesce(case when send_is_timezone(n.name) then n.name end, k.written, n.name)
        order by z.nth) as timezones
    from meant m
    cross join unnest(m.zones) with ordinality z (zone, nth)
    join send_zone_names n on n.written = z.zone
    left join lateral (select o.written from send_zone_names o where o.name = n.name and send_is_timezone(o.written)
                       order by o.written limit 1) k on true
    group by m.prefix, m.zones
)
update send_phone_zones p set timezones = k.timezones from known k
where p.prefix = k.prefix and p.timezones::text <> k.timezones::text
  and not exists (select unnest(p.timezones) except select unnest(k.zones));
