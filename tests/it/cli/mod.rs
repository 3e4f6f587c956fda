mod doctor;
mod ledger;
