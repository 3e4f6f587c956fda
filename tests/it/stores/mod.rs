mod indexes;
mod kafka;
mod migrations;
mod redis;
