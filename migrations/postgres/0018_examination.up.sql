-- not breaking: reserved, see the next commit
select 1;
