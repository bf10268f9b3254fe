-- breaking: invariant M4 can no longer be checked
drop function netra.read_settled();
