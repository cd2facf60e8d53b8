"""How a column that arrives becomes a column of the model, and which rows cannot."""
