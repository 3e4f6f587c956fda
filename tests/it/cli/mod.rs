mod admin;
mod doctor;
mod help;
mod ledger;
mod seed;
