mod indexes;
mod kafka;
mod migrations;
mod moving;
mod pools;
mod redis;
