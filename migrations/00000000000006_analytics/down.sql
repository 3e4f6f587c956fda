DROP INDEX reservations_returned;
DROP TABLE view_totals;
DROP TABLE view_windows;
