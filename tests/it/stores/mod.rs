mod indexes;
mod kafka;
mod migrations;
mod moving;
mod outbox;
mod pools;
mod redis;
