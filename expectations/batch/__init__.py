"""What arrives as a unit, once it is open: schema, row numbers, statistics, queries."""
