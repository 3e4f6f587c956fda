mod admin;
mod doctor;
mod ledger;
mod seed;
