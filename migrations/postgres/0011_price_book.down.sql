-- breaking: forgets the price books that usage was rated by
drop function netra.check_run_holds();
drop function netra.keep_price_book(text, jsonb);
drop table netra.price;
drop table netra.price_book;
