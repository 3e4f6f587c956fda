mod causes;
mod groups;
