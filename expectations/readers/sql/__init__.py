"""The rows of a database's query as a batch."""
