-- breaking: importers of the release before do not take turns
drop function netra.take_usage_turn(uuid, uuid, int);
drop table netra.usage_turn;
