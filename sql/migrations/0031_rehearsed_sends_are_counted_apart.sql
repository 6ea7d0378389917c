-- The tally shows what was rehearsed too, as a rehearsal's limits count it; limits in earnest count the rest.
alter table send_usage add column rehearsed int not null default 0,
    add constraint rehearsed_is_a_part_of_used check (rehearsed between 0 and greatest(used, 0));
update send_usage u set used = u.used + d.n, rehearsed = d.n
from (select b.account_id, b.channel, b.day, count(*) as n from send_attempts b
      where b.rehearsed and (b.outcome is null or b.outcome in ('sent', 'uncertain'))
      group by b.account_id, b.channel, b.day) d
where u.account_id = d.account_id and u.channel = d.channel and u.day = d.day;
