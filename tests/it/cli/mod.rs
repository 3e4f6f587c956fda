mod admin;
mod counters;
mod dead_letters;
mod doctor;
mod help;
mod json;
mod ledger;
mod seed;
