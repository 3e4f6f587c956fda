mod admin;
mod dead_letters;
mod doctor;
mod help;
mod ledger;
mod seed;
