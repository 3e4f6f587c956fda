mod causes;
mod groups;
mod sales;
