mod ends;
mod home;
