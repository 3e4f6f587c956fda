mod sales;
mod views;
