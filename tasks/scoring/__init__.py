"""A batch from the inbox to its receipt: select, judge, predict, publish."""
