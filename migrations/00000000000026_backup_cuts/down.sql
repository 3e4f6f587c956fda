DROP FUNCTION outbox_hold();
DROP TABLE restores;
DROP TABLE backup_cut;
