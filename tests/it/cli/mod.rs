mod doctor;
mod ledger;
mod seed;
