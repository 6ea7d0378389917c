-- Where the phone numbers of a campaign are from that do not name their country: the command reads them so (recipients.py).
alter table send_campaigns add country text constraint country_has_two_letters check (country collate "C" ~ '^[A-Z]{2}$');
