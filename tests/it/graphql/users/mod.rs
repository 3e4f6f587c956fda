mod counts;
mod doors;
mod follows;
mod limits;
mod sessions;
mod sign_up;
mod tokens;
mod visibility;
