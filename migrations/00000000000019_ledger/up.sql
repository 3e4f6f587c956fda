-- How many units a product was offered with: what is left, held and sold must come to it. Null where an older version wrote the row; filled in by
-- the next migration.
ALTER TABLE products ADD COLUMN stock_offered integer;

-- What the ledger came to the last time that it ran by itself, on every shard that answered then.
CREATE TABLE ledger_runs (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    report   jsonb NOT NULL
);
