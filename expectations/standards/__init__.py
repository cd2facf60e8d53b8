"""Contract and rules in the languages of other tools: ODCS, JSON Schema, SQL."""
