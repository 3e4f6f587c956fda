DROP TABLE likes_taken_back;
ALTER TABLE order_lines DROP COLUMN title;
DELETE FROM notifications WHERE NOT active;
ALTER TABLE notifications DROP COLUMN active, DROP COLUMN version;
