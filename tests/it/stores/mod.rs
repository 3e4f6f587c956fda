mod kafka;
mod migrations;
mod redis;
