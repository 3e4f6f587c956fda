mod doctor;
mod seed;
