drop table netra.node;
