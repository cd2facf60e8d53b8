"""Great Expectations behind one door: its engine, its projects, its results as plain data."""
