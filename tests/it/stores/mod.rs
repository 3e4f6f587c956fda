mod migrations;
mod redis;
