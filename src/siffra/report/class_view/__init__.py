"""The labs of a class in one table: a row a claim, a column a lab."""
