"""A batch against what was learned of values: a sample of its rows, and what differs in it."""
