DROP TABLE ledger_runs;
ALTER TABLE products DROP COLUMN stock_offered;
